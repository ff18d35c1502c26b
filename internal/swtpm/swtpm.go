package swtpm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// program is looked up in PATH.
const program = "swtpm"

// farewell is how long the child may take to end by itself.
const farewell = 2 * time.Second

// headerBytes and maxBytes bound commands and responses; 4096 is what the kernel's
// driver takes.
const (
	headerBytes = 10
	maxBytes    = 4096
)

// ErrOff answers a command to a TPM that has no power.
var ErrOff = errors.New("the software TPM is off")

// TPM is a running software TPM whose state is in a directory.
type TPM struct {
	dir      string
	commands atomic.Int64

	mu    sync.Mutex // one command at a time, power included
	child *child     // nil when off
	boots int        // sessions and objects of an earlier boot are gone
	shape map[tpm2.TPMCC]tpm2.TPMACC
}

// Start switches on the TPM whose state is in dir, a new one if dir is empty. The
// TPM has been started up (TPM2_Startup) when Start returns.
func Start(ctx context.Context, dir string) (*TPM, error) {
	t := &TPM{dir: dir}
	if err := t.on(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// Opener opens connections to the TPM, in whatever power state it is by then.
func (t *TPM) Opener() func(context.Context) (transport.TPMCloser, error) {
	return func(ctx context.Context) (transport.TPMCloser, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.child == nil {
			return nil, ErrOff
		}
		return &conn{tpm: t, boot: t.boots, next: firstVirtual}, nil
	}
}

// Commands is how many commands have reached the chip, swapping included.
func (t *TPM) Commands() int64 { return t.commands.Load() }

// Restart is a power cycle: an orderly shutdown, unless the power is off already,
// and a start with the same state.
func (t *TPM) Restart(ctx context.Context) error {
	if err := t.Close(); err != nil {
		return err
	}
	return t.on(ctx)
}

// Kill is a power cut.
func (t *TPM) Kill() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.child != nil {
		t.child.kill()
		t.child = nil
	}
}

// Close shuts the TPM down in order (TPM2_Shutdown) and waits for the child to end.
// Closing a TPM that is off does nothing.
func (t *TPM) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.child == nil {
		return nil
	}
	_, err := tpm2.Shutdown{ShutdownType: tpm2.TPMSUClear}.Execute(t.child)
	t.child.end()
	t.child = nil
	if err != nil {
		return fmt.Errorf("shutting swtpm down: %w", err)
	}
	return nil
}

func (t *TPM) on(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, err := spawn(ctx, t.dir)
	if err != nil {
		return err
	}
	shape, err := commandShapes(c)
	if err != nil {
		c.kill()
		return fmt.Errorf("swtpm does not work: %w: %s", err, bytes.TrimSpace(c.complaint.Bytes()))
	}
	t.child, t.shape = c, shape
	t.boots++
	return nil
}

// commandShapes asks how many handles each command has. The kernel's resource
// manager asks the same, to know which of them to translate.
func commandShapes(t transport.TPM) (map[tpm2.TPMCC]tpm2.TPMACC, error) {
	rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapCommands, PropertyCount: maxBytes / 4}.Execute(t)
	if err != nil {
		return nil, err
	}
	list, err := rsp.CapabilityData.Data.Command()
	if err != nil {
		return nil, err
	}
	shape := make(map[tpm2.TPMCC]tpm2.TPMACC, len(list.CommandAttributes))
	for _, a := range list.CommandAttributes {
		shape[tpm2.TPMCC(a.CommandIndex)] = a
	}
	return shape, nil
}

// child is one run of the program.
type child struct {
	conn net.Conn
	cmd  *exec.Cmd
	gone chan struct{} // closed when the program has ended

	complaint bytes.Buffer // its standard error, complete when gone is closed
}

// spawn starts the program. --fd, not --server type=unixio,fd=: the latter wants a
// listening socket and spins at 100 % CPU on a connected one (swtpm 0.7.1).
func spawn(ctx context.Context, dir string) (*child, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, fmt.Errorf("the software TPM is missing: install the package %s: %w", program, err)
	}
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close() //nolint:errcheck // The child has its own copy.
	c := &child{conn: ours, gone: make(chan struct{})}
	// The directory is the program's own, so that no comma in its path can pass
	// for one of the option's.
	//nolint:gosec // The program is found by its name in PATH; the arguments are constants.
	c.cmd = exec.CommandContext(context.WithoutCancel(ctx), path, "socket", "--tpm2",
		"--tpmstate", "dir=.,mode=0600", "-t", "--fd", "3", "--flags", "not-need-init,startup-clear")
	c.cmd.Dir = dir
	c.cmd.Stderr = &c.complaint
	c.cmd.ExtraFiles = []*os.File{theirs}
	c.cmd.SysProcAttr = dieWithParent()
	if err := c.start(); err != nil {
		ours.Close() //nolint:errcheck // Nothing was sent.
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	return c, nil
}

// start starts the program from a thread that lives as long as it does. Linux
// counts the *thread* that forked as the parent: if the Go run-time ended that
// thread, Pdeathsig would kill a TPM in use.
func (c *child) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			_ = c.cmd.Wait() // Whatever it ended with, it is gone.
			close(c.gone)
		}
	}()
	return <-started
}

// kill ends the program at once, as a power cut would.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // It may have ended already.
	<-c.gone
	c.conn.Close() //nolint:errcheck // The other end is gone.
}

// end closes the connection, on which the program ends by itself (-t).
func (c *child) end() {
	c.conn.Close() //nolint:errcheck // What mattered was the shutdown.
	timer := time.NewTimer(farewell)
	defer timer.Stop()
	select {
	case <-c.gone:
	case <-timer.C:
		c.kill()
	}
}

// Send sends one command to the chip itself.
func (c *child) Send(cmd []byte) ([]byte, error) {
	if _, err := c.conn.Write(cmd); err != nil {
		return nil, fmt.Errorf("swtpm: %w", err)
	}
	rsp := make([]byte, maxBytes)
	if _, err := io.ReadFull(c.conn, rsp[:headerBytes]); err != nil {
		return nil, fmt.Errorf("swtpm: %w", err)
	}
	size := int(binary.BigEndian.Uint32(rsp[2:]))
	if size < headerBytes || size > maxBytes {
		return nil, fmt.Errorf("swtpm: a response of %d bytes", size)
	}
	if _, err := io.ReadFull(c.conn, rsp[headerBytes:size]); err != nil {
		return nil, fmt.Errorf("swtpm: %w", err)
	}
	return rsp[:size], nil
}

// socketpair makes two connected sockets; only theirs may reach a child, and only
// the one it is handed to.
func socketpair() (ours net.Conn, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("a socket for swtpm: %w", err)
	}
	file := os.NewFile(uintptr(fds[0]), "swtpm")
	theirs = os.NewFile(uintptr(fds[1]), "swtpm")
	defer file.Close() //nolint:errcheck // net.FileConn has its own copy.
	if ours, err = net.FileConn(file); err != nil {
		theirs.Close() //nolint:errcheck // Nothing was sent.
		return nil, nil, fmt.Errorf("a socket for swtpm: %w", err)
	}
	return ours, theirs, nil
}
