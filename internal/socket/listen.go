package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

const directoryPerm = 0o700

// Listener is a socket that callers can reach.
type Listener struct {
	unix *net.UnixListener
}

// Listen makes a socket at path, reachable for whom mode lets write to it. It
// makes the directory (0700) where that is missing. A socket that nobody answers
// behind is replaced; one that somebody does, or a file that is no socket, is a
// *ctap.Problem.
func Listen(path string, mode os.FileMode) (*Listener, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, directoryPerm); err != nil {
		return nil, cannotListen(path, err)
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, cannotListen(path, err)
	}
	defer unlock()
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// The kernel gives the new file the descriptor's mode, less the umask: so
	// nobody else can connect between bind and chmod. Where a system refuses,
	// the directory is what keeps others out.
	private := func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = unix.Fchmod(int(fd), 0o600) })
	}
	config := net.ListenConfig{Control: private}
	made, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, cannotListen(path, err)
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(cannotListen(path, err), made.Close())
	}
	l, ok := made.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(cannotListen(path, errors.New("not a Unix socket")), made.Close())
	}
	return &Listener{unix: l}, nil
}

// Close stops listening and removes the socket.
func (l *Listener) Close() error { return l.unix.Close() }

// lock keeps two daemons that start at once from removing each other's socket.
func lock(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return func() { _ = d.Close() }, nil
}

// removeStale removes the socket at path when nobody answers behind it.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return cannotListen(path, err)
	case info.Mode().Type() != fs.ModeSocket:
		return &ctap.Problem{
			Status: ctap.Other,
			What:   path + " is there, and is no socket",
			Hint:   "move it away, or name another path",
		}
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(context.Background(), "unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return answered(path)
	case errors.Is(err, unix.ECONNREFUSED):
		if err := os.Remove(path); err != nil {
			return cannotListen(path, err)
		}
		return nil
	case errors.Is(err, unix.EAGAIN): // its queue is full: somebody listens
		return answered(path)
	default:
		return cannotListen(path, err)
	}
}

func answered(path string) error {
	return &ctap.Problem{
		Status: ctap.Other,
		What:   "a LocalPasskey daemon already answers at " + path,
		Hint:   "use that one, or stop it first",
	}
}

func cannotListen(path string, cause error) error {
	hint := "look at the permissions of " + filepath.Dir(path)
	if errors.Is(cause, unix.EINVAL) {
		hint = fmt.Sprintf("a socket's path has at most 107 bytes; this one has %d", len(path))
	}
	return &ctap.Problem{Status: ctap.Other, What: "cannot listen at " + path, Hint: hint, Cause: cause}
}
