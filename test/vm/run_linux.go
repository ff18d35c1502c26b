package vm

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// parameter names the shared directory on the guest's kernel command line, and
// bootParameter tells how often the machine was booted before.
const (
	parameter     = "localpasskey_vm"
	bootParameter = "localpasskey_boot"
)

// In the shared directory.
const (
	outputFile = "output" // what the guest printed, all boots
	statusFile = "status" // of the guest's test, when it has ended
	keptDir    = "kept"   // see Kept

	programsDir = "programs" // see Program
)

// Ours: what a test gets that asks for nothing else. A guest needs some five to ten
// seconds to boot on two idle processors.
const (
	defaultMemoryMiB = 1024
	defaultLimit     = 4 * time.Minute
	lastWords        = 20 * time.Second // for a test that is too slow to say where it is
	mostBoots        = 5                // a test that cuts the power more often never ends
)

// Config is what a test needs. The zero value is a machine with 1 GiB of memory, four
// minutes to live and no programs.
type Config struct {
	MemoryMiB int
	Limit     time.Duration
	// Programs are import paths of Go programs to build; see Program.
	Programs []string
	// Env are "NAME=value" for the test in the guest, which inherits nothing.
	Env []string
	// Sleeps: the test suspends the guest, see Sleep.
	Sleeps bool
	// Systemd: the guest has systemd as its init, with udev, a bus and logind.
	Systemd bool
	// LogTPM has the TPM keep the log that Commands reads, which takes it some time.
	LogTPM bool
	// Keep is a directory on the host that gets copies of the files in Kept; "": none.
	Keep string
}

// Inside tells whether this process runs in a guest.
func Inside() bool { return share() != "" }

// Program is where the guest finds the program with that import path: in memory, for the
// shared directory is read anew at every start of a program.
func Program(importPath string) string {
	return filepath.Join("/dev/shm", programsDir, path.Base(importPath))
}

// share gives the shared directory's path in a guest, "" outside of one.
func share() string {
	shared := told(parameter)
	if shared != "" && exists(memoryDir) {
		return memoryDir
	}
	return shared
}

// told is the value of a parameter on the guest's kernel command line.
func told(name string) string {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return ""
	}
	for field := range strings.FieldsSeq(string(line)) {
		if value, ok := strings.CutPrefix(field, name+"="); ok {
			return value
		}
	}
	return ""
}

// Run runs the test t in a guest, in a process that has nothing else to do, and
// reports each of its subtests as one of t's here.
func Run(t *testing.T, c Config) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("the guest is a PC, and runs this test's own binary")
	}
	if c.MemoryMiB == 0 {
		c.MemoryMiB = defaultMemoryMiB
	}
	if c.Limit == 0 {
		c.Limit = defaultLimit
	}
	dir, err := os.MkdirTemp("", "localpasskey-vm-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the guest's console and output are in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), c.Limit)
	defer cancel()
	m, err := assemble(ctx, dir, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := furnish(ctx, m.share(), t.Name(), c); err != nil {
		t.Fatal(err)
	}
	passed := m.runTest(ctx, t)
	if c.Sleeps {
		if err := m.fromConsole(); err != nil {
			t.Error(err)
		}
	}
	output, err := os.ReadFile(filepath.Join(m.share(), outputFile))
	if err != nil {
		t.Fatalf("the guest ran nothing: %v; the console ends in:\n%s", err, tail(filepath.Join(dir, consoleFile)))
	}
	status, err := os.ReadFile(filepath.Join(m.share(), statusFile))
	if err != nil {
		t.Errorf("the guest's test did not end")
	}
	if err := keep(c.Keep, m.share()); err != nil {
		t.Error(err)
	}
	relay(t, output, passed && strings.TrimSpace(string(status)) == "0")
}

// runTest boots the machine, and again when the guest has cut its power. It tells
// whether all was well each time that it did.
func (m *machine) runTest(ctx context.Context, t *testing.T) (passed bool) {
	t.Helper()
	passed = true
	for n := range mostBoots {
		began := time.Now()
		if err := m.boot(ctx, n); err != nil {
			t.Errorf("%v; the console ends in:\n%s", err, tail(filepath.Join(m.dir, consoleFile)))
		}
		t.Logf("the guest ran for %s", time.Since(began).Round(time.Second))
		well, again, err := takeCut(m.share())
		if err != nil {
			t.Error(err)
		}
		passed = passed && well
		if !again {
			return passed
		}
	}
	t.Errorf("the guest has cut its power %d times", mostBoots)
	return false
}

// furnish fills the shared directory: what to run, and the programs it needs.
func furnish(ctx context.Context, shared, test string, c Config) error {
	if err := os.MkdirAll(filepath.Join(shared, keptDir), 0o700); err != nil {
		return err
	}
	programs := filepath.Join(shared, programsDir)
	if err := os.Mkdir(programs, 0o700); err != nil {
		return err
	}
	for _, program := range c.Programs {
		cmd := exec.CommandContext(ctx, "go", "build", "-o", programs+"/", program)
		cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", program, err, out)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	if c.Systemd {
		if err := furnishInit(shared); err != nil {
			return err
		}
	}
	if c.Sleeps {
		if self, here, err = intoMemory(shared, self); err != nil {
			return err
		}
	}
	var command strings.Builder
	for _, variable := range c.Env {
		fmt.Fprintf(&command, "export %s\n", quoted(variable))
	}
	fmt.Fprintf(&command, "cd %s && exec %s -test.v=test2json -test.run %s -test.timeout %s\n",
		quoted(here), quoted(self), quoted("^"+test+"$"), max(c.Limit-lastWords, lastWords))
	if err := os.WriteFile(filepath.Join(shared, "command.sh"), []byte(command.String()), 0o600); err != nil {
		return err
	}
	script, err := scripts.ReadFile("guest.sh")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(shared, "guest.sh"), script, 0o600)
}

// quoted makes one word of a POSIX shell.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// tail gives the last lines of a file.
func tail(file string) []byte {
	const enough = 4000
	content, err := os.ReadFile(file)
	switch {
	case err != nil:
		return []byte(err.Error())
	case len(content) > enough:
		content = content[len(content)-enough:]
	}
	return bytes.ToValidUTF8(content, []byte("?"))
}

// exists tells whether a file is there.
func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
