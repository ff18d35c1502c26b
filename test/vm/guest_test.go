//go:build e2e && linux

package vm_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/prompt/ptytest"
	"github.com/localpasskey/localpasskey/test/vm"
)

// guestProgram is the authenticator that clients talk to.
const guestProgram = "github.com/localpasskey/localpasskey/test/vm/guest"

// key is a running authenticator and the node that clients open.
type key struct {
	path string
	cmd  *exec.Cmd
	log  bytes.Buffer
}

// plug starts an authenticator whose store is file.
func plug(t *testing.T, unique, file string, flags ...string) *key {
	t.Helper()
	args := append([]string{"-store", file, "-unique", unique}, flags...)
	k := &key{cmd: exec.Command(vm.Program(guestProgram), args...)} // it outlives t's context, until the clean-up
	k.cmd.Stderr = &k.log
	out, err := k.cmd.StdoutPipe()
	check(t, err)
	check(t, k.cmd.Start())
	t.Cleanup(func() { k.pull(t, unix.SIGTERM) })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the authenticator says %q, %v: %s", line, err, k.log.String())
	}
	k.path = node(t, unique)
	if out, err := exec.CommandContext(t.Context(), "udevadm", "settle").CombinedOutput(); err != nil {
		t.Fatalf("udevadm settle: %v: %s", err, out)
	}
	return k
}

// pull ends the authenticator by a signal. A second time it does nothing.
func (k *key) pull(t *testing.T, signal os.Signal) {
	t.Helper()
	if k.cmd.ProcessState != nil {
		return
	}
	check(t, k.cmd.Process.Signal(signal))
	err := k.cmd.Wait()
	if signal == unix.SIGTERM && err != nil {
		t.Errorf("the authenticator ended with %v", err)
	}
	if k.log.Len() > 0 {
		t.Logf("the authenticator's log:\n%s", k.log.String())
	}
}

// line is one exchange at a terminal: what a program asks for and what is typed.
type line struct{ expect, typed string }

// run runs a program with a terminal to ask at, and gives what it prints, without
// the terminal, and its error. input is its standard input.
func run(t *testing.T, input string, dialogue []line, program string, args ...string) (string, error) {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "printed")
	check(t, err)
	t.Cleanup(func() { _ = file.Close() }) // of a file that goes with the test
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), file, file
	terminal := ptytest.New(t)
	printed := func() string {
		content, err := os.ReadFile(file.Name())
		check(t, err)
		return string(content)
	}
	defer func() { // also where it does not ask what it should
		t.Logf("$ %s %s\n%s%s", filepath.Base(program), strings.Join(args, " "),
			strings.ReplaceAll(terminal.Output(), "\r\n", "\n"), printed())
	}()
	check(t, terminal.Start(cmd))
	for _, l := range dialogue {
		terminal.Expect(l.expect)
		terminal.Type(l.typed + "\n")
	}
	err = cmd.Wait()
	for _, l := range dialogue {
		if strings.Contains(terminal.Output(), l.typed) {
			t.Error("what was typed is on the terminal")
		}
	}
	return printed(), err
}

// succeed is run where an error ends the test.
func succeed(t *testing.T, input string, dialogue []line, program string, args ...string) string {
	t.Helper()
	out, err := run(t, input, dialogue, program, args...)
	check(t, err)
	return out
}

// contains looks for texts in what a program printed.
func contains(t *testing.T, out string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("there is no %q", text)
		}
	}
}
