package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// From systemd, sd_listen_fds(3): the first descriptor that is handed over.
const firstInherited = 3

// Inherited is the socket that the service manager listens at for this process, by the
// protocol of sd_listen_fds(3): pid and count are the variables LISTEN_PID and
// LISTEN_FDS. It is nil where there is none. It must be called at most once, before
// anything else opens a file.
func Inherited(pid, count string) (*Listener, error) {
	if count == "" || pid != strconv.Itoa(os.Getpid()) {
		return nil, nil //nolint:nilnil // There is none, and that is no error.
	}
	if count != "1" {
		return nil, notInherited(fmt.Errorf("LISTEN_FDS is %q", count))
	}
	unix.CloseOnExec(firstInherited)
	return takeOver(os.NewFile(firstInherited, "socket"))
}

// takeOver makes a Listener of an open socket. The socket's file is not ours to remove.
func takeOver(file *os.File) (*Listener, error) {
	l, err := net.FileListener(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, notInherited(err)
	}
	made, ok := l.(*net.UnixListener)
	if !ok || made.Addr().Network() != "unix" {
		return nil, errors.Join(notInherited(fmt.Errorf("it is of the kind %q", l.Addr().Network())), l.Close())
	}
	return &Listener{unix: made}, nil
}

func notInherited(cause error) error {
	return &ctap.Problem{
		Status: ctap.Other, Cause: cause,
		What: "the service manager handed over something else than one socket",
		Hint: "look at localpasskey.socket: it has one line ListenStream=",
	}
}
