// Package node speaks to the kernel's node of a TPM, a command at a time.
//
//	Send ──► write ──► the kernel's worker ──► poll ──► read
//
// It refuses to know what the commands are.
package node

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/google/go-tpm/tpm2/transport"
	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// maxResponseBytes is the longest response that the kernel passes on
// (TPM_BUFSIZE).
const maxResponseBytes = 4096

// Open gives what opens the node at path: "/dev/tpmrm0" for the kernel's resource manager,
// of which each connection has its own objects. Its errors are *ctap.Problem.
func Open(path string) func(ctx context.Context) (transport.TPMCloser, error) {
	return func(ctx context.Context) (transport.TPMCloser, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		fd, err := openDevice(path)
		if err != nil {
			return nil, noDevice(path, &fs.PathError{Op: "open", Path: path, Err: err})
		}
		return &device{path: path, fd: fd}, nil
	}
}

func openDevice(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	var about unix.Stat_t
	if err = unix.Fstat(fd, &about); err == nil && about.Mode&unix.S_IFMT != unix.S_IFCHR {
		err = errors.New("not a device")
	}
	if err != nil {
		_ = unix.Close(fd) // nothing was written
		return -1, err
	}
	return fd, nil
}

// device is a Conn that sends each command once. go-tpm's own sends it again, out of
// reach of any context, for as long as the TPM answers that it is busy, and has no
// answer in the end.
//
// The descriptor does not block, so that it is the kernel's worker that waits for the
// TPM: a signal that reaches a waiting thread of ours would fail the command. Nor is
// it in the poller of Go's runtime, which while the worker is at it would block in the
// driver's poll, and with it everything else that this program waits for.
type device struct {
	path string
	fd   int
}

// Send sends one command and waits for the response.
func (d *device) Send(cmd []byte) ([]byte, error) {
	if _, err := restarted(func() (int, error) { return unix.Write(d.fd, cmd) }); err != nil {
		return nil, &fs.PathError{Op: "write", Path: d.path, Err: err}
	}
	ready := []unix.PollFd{{Fd: int32(d.fd), Events: unix.POLLIN}} //nolint:gosec // descriptors are small numbers
	if _, err := restarted(func() (int, error) { return unix.Poll(ready, -1) }); err != nil {
		return nil, &fs.PathError{Op: "poll", Path: d.path, Err: err}
	}
	rsp := make([]byte, maxResponseBytes)
	n, err := restarted(func() (int, error) { return unix.Read(d.fd, rsp) })
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: d.path, Err: err}
	}
	return rsp[:n], nil
}

// Close ends the connection.
func (d *device) Close() error { return unix.Close(d.fd) }

// restarted calls f until no signal has interrupted it.
func restarted(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// noDevice explains why the device could not be opened.
func noDevice(path string, err error) error {
	p := &ctap.Problem{Status: ctap.Other, Cause: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.What = "this machine has no TPM 2.0 that Linux knows of"
		p.Hint = "switch it on in the firmware's settings (often called fTPM or PTT); a virtual machine needs one added"
	case errors.Is(err, fs.ErrPermission):
		p.What = "no permission to use the TPM (" + path + ")"
		p.Hint = "let the daemon do it (`systemctl status localpasskey`), or join the group tss: sudo usermod -aG tss $USER, then log in again"
	case errors.Is(err, syscall.EBUSY):
		p.What = "another program has the TPM (" + path + ") to itself"
		p.Hint = "stop it, or use /dev/tpmrm0, which programs share"
	default:
		p.What = "the TPM (" + path + ") cannot be opened"
		p.Hint = "look at `journalctl -k | grep -i tpm`"
	}
	return p
}
