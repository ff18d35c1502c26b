//go:build e2e && linux

package clients

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/prompt/pinentry/pinentrytest"
	"github.com/localpasskey/localpasskey/test/vm"
)

// The programs as people have them, and the one that stands for a person.
const (
	productProgram  = "github.com/localpasskey/localpasskey/cmd/localpasskey"
	pinentryProgram = "github.com/localpasskey/localpasskey/test/pinentry"
)

func machinePrograms() []string { return []string{productProgram, pinentryProgram} }

const machinePIN = "vier 4 ä"

// machine is a computer with LocalPasskey on it.
type machine struct {
	t      *testing.T // whose end is the machine's
	dir    string
	socket string
	daemon *process
	agent  *process
}

// process is a program that runs beside the test.
type process struct {
	*exec.Cmd

	logFile string
}

// log is what it has written to stderr so far.
func (p *process) log(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(p.logFile)
	check(t, err)
	return string(content)
}

// start starts the daemon.
func start(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir()}
	m.socket = filepath.Join(m.dir, "socket")
	check(t, os.Symlink(vm.Program(pinentryProgram), m.pinentry()))
	m.boot(t)
	return m
}

func (m *machine) pinentry() string { return filepath.Join(m.dir, "pinentry") }

// boot starts a daemon for what there is of the machine.
func (m *machine) boot(t *testing.T) {
	t.Helper()
	m.daemon = m.launch(t, "daemon", "--user", "--store", filepath.Join(m.dir, "passkeys.db"))
	eventually(t, "the daemon listens", func() bool { // the one before may have left its socket
		conn, err := net.Dial("unix", m.socket)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// launch starts one of the programs that stay; it ends with the machine.
func (m *machine) launch(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(vm.Program(productProgram), append(args, "--socket", m.socket)...)}
	log, err := os.CreateTemp(m.dir, "log")
	check(t, err)
	defer log.Close() // the program has it
	p.Stderr, p.logFile = log, log.Name()
	check(t, p.Start())
	m.t.Cleanup(func() { p.end(m.t, unix.SIGTERM) })
	return p
}

// end ends it. A second time it does nothing.
func (p *process) end(t *testing.T, signal os.Signal) {
	t.Helper()
	if p.ProcessState != nil {
		return
	}
	check(t, p.Process.Signal(signal))
	if err := p.Wait(); signal == unix.SIGTERM && err != nil {
		t.Errorf("%s ended with %v", p.Args[1], err)
	}
	log := p.log(t)
	t.Logf("%s:\n%s", p.Args[1], log)
	if strings.Contains(log, machinePIN) {
		t.Errorf("the log of %s has the PIN in it", p.Args[1])
	}
}

// localpasskey runs the command line.
func (m *machine) localpasskey(t *testing.T, input string, args ...string) string {
	t.Helper()
	return succeed(t, input, nil, vm.Program(productProgram), append(args, "--socket", m.socket)...)
}

func (m *machine) setUp(t *testing.T) {
	t.Helper()
	m.localpasskey(t, machinePIN+"\n", "setup", "--pin-stdin")
	settle(t)
}

// status is what `localpasskey status --json` says.
type status struct {
	Passkeys int    `json:"passkeys"`
	Retries  int    `json:"pin_retries"`
	Prompt   string `json:"prompt"`
	Node     string `json:"node"`
}

func (m *machine) status(t *testing.T) (s status) {
	t.Helper()
	out := exec.CommandContext(t.Context(), vm.Program(productProgram), "status", "--json", "--socket", m.socket)
	b, err := out.Output()
	check(t, err)
	check(t, json.Unmarshal(b, &s))
	return s
}

// attend starts an agent whose person has a script.
func (m *machine) attend(t *testing.T) {
	t.Helper()
	m.answer(t, "no")
	eventually(t, "the agent before has gone", func() bool { return m.status(t).Prompt == "" })
	m.agent = m.launch(t, "agent", "--pinentry", m.pinentry())
	eventually(t, "the agent attends", func() bool { return m.status(t).Prompt == "agent" })
}

// answer is what the person does at the dialogs to come.
func (m *machine) answer(t *testing.T, answers ...string) {
	t.Helper()
	check(t, pinentrytest.Answer(m.dir, answers...))
}

// shown is what dialogs have said since the last call.
func (m *machine) shown(t *testing.T) string {
	t.Helper()
	shown, err := pinentrytest.Shown(m.dir)
	check(t, err)
	t.Logf("dialogs:\n%s", shown)
	return shown
}

// asked waits until a dialog is open.
func (m *machine) asked(t *testing.T) string {
	t.Helper()
	shown := ""
	eventually(t, "a dialog", func() bool {
		more, err := pinentrytest.Shown(m.dir)
		check(t, err)
		shown += more
		return strings.Contains(shown, "GETPIN") || strings.Contains(shown, "CONFIRM")
	})
	return shown
}

// dialogs tells how many dialogs are open.
func (m *machine) dialogs(t *testing.T) (n int) {
	t.Helper()
	all, err := filepath.Glob("/proc/*/cmdline")
	check(t, err)
	for _, file := range all {
		if line, err := os.ReadFile(file); err == nil && strings.HasPrefix(string(line), m.pinentry()+"\x00") {
			n++
		}
	}
	return n
}
