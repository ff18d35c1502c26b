//go:build e2e && linux

package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/prompt/ptytest"
)

// patience is how long a program gets that hangs.
const patience = 60 * time.Second

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until what holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// line is one exchange at a terminal: what a program asks for and what is typed.
type line struct{ expect, typed string }

// command is a program to run with a terminal to ask at.
type command struct {
	dir      string // working directory, "" for this one
	input    string // standard input
	terminal bool   // standard input is the terminal instead
	dialogue []line
}

// run gives what the program prints, without the terminal, and its error.
func (c command) run(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "printed")
	check(t, err)
	t.Cleanup(func() { _ = file.Close() }) // of a file that goes with the test
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = c.dir
	cmd.Stdout, cmd.Stderr = file, file
	if !c.terminal {
		cmd.Stdin = strings.NewReader(c.input)
	}
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
	hangs := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer hangs.Stop()
	for _, l := range c.dialogue {
		terminal.Expect(l.expect)
		// Some ask first, and turn the echo off then, with all that was typed by then.
		eventually(t, "no echo at "+l.expect, func() bool { return !terminal.Echo() })
		terminal.Type(l.typed + "\n")
	}
	err = cmd.Wait()
	for _, l := range c.dialogue {
		if strings.Contains(terminal.Output(), l.typed) {
			t.Error("what was typed is on the terminal")
		}
	}
	return printed(), err
}

// succeed is run where an error ends the test.
func (c command) succeed(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := c.run(t, program, args...)
	check(t, err)
	return out
}

// run and succeed, for a program with an input and a dialogue.
func run(t *testing.T, input string, dialogue []line, program string, args ...string) (string, error) {
	t.Helper()
	return command{input: input, dialogue: dialogue}.run(t, program, args...)
}

func succeed(t *testing.T, input string, dialogue []line, program string, args ...string) string {
	t.Helper()
	return command{input: input, dialogue: dialogue}.succeed(t, program, args...)
}

// contains looks for texts in what a program printed.
func contains(t *testing.T, out string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("there is no %q in %q", text, out)
		}
	}
}
