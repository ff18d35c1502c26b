package ptytest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long Expect waits on a busy machine before the test fails.
const patience = 30 * time.Second

// Terminal is a pseudo-terminal. What is written to it is collected.
type Terminal struct {
	// Path is the terminal's name, for whoever asks.
	Path string

	t      testing.TB
	master *os.File
	slave  *os.File // open, so that output never ends with a program

	mu      sync.Mutex
	output  strings.Builder
	grown   chan struct{} // has a value when output has grown
	matched int           // how much of output Expect is done with
}

// New makes a terminal that ends with the test.
func New(t testing.TB) *Terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	number := 0
	control(t, master, func(fd int) error {
		if number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN); err != nil {
			return err
		}
		return unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	})
	p := &Terminal{t: t, master: master, Path: fmt.Sprintf("/dev/pts/%d", number), grown: make(chan struct{}, 1)}
	if p.slave, err = os.OpenFile(p.Path, os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.collect()
	}()
	t.Cleanup(func() {
		p.Hang()
		_ = p.slave.Close() // what mattered has been read
		<-done
	})
	return p
}

func (p *Terminal) collect() {
	buffer := make([]byte, 4096)
	for {
		n, err := p.master.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.output.Write(buffer[:n])
		p.mu.Unlock()
		select {
		case p.grown <- struct{}{}:
		default:
		}
	}
}

// Output is all that has been written so far, with the terminal's line ends.
func (p *Terminal) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// Expect waits until text appears after what it found before. It gives what was
// written up to the end of text, with plain line ends.
func (p *Terminal) Expect(text string) string {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		if seen, ok := p.match(text); ok {
			return seen
		}
		select {
		case <-p.grown:
		case <-deadline:
			p.t.Fatalf("%q is not on the terminal; there is: %q", text, p.Output()[p.matched:])
		}
	}
}

func (p *Terminal) match(text string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	rest := p.output.String()[p.matched:]
	plain := strings.ReplaceAll(rest, "\r\n", "\n")
	at := strings.Index(plain, text)
	if at < 0 {
		return "", false
	}
	seen := plain[:at+len(text)]
	raw := strings.ReplaceAll(seen, "\n", "\r\n")
	p.matched += len(raw)
	return seen, true
}

// Type types text as it is; end a line with "\n".
func (p *Terminal) Type(text string) {
	p.t.Helper()
	if _, err := p.master.WriteString(text); err != nil {
		p.t.Fatal(err)
	}
}

// Hang closes the terminal's far end, as a closed window does.
func (p *Terminal) Hang() { _ = p.master.Close() } // a second time it fails, to no harm

// Echo tells whether what is typed is shown.
func (p *Terminal) Echo() bool { return p.Mode().Lflag&unix.ECHO != 0 }

// Mode is the terminal's mode.
func (p *Terminal) Mode() (mode unix.Termios) {
	p.t.Helper()
	control(p.t, p.slave, func(fd int) error {
		now, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err == nil {
			mode = *now
		}
		return err
	})
	return mode
}

// Start starts cmd as the leader of a session of its own whose terminal this is.
// Its standard streams are the terminal's where cmd has none.
func (p *Terminal) Start(cmd *exec.Cmd) error {
	if cmd.Stdin == nil {
		cmd.Stdin = p.slave
	}
	if cmd.Stdout == nil {
		cmd.Stdout = p.slave
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.slave
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, p.slave)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2 + len(cmd.ExtraFiles)}
	return cmd.Start()
}

func control(t testing.TB, file *os.File, do func(fd int) error) {
	t.Helper()
	raw, err := file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if fault := raw.Control(func(fd uintptr) { err = do(int(fd)) }); fault != nil {
		t.Fatal(fault)
	}
	if err != nil {
		t.Fatal(err)
	}
}
