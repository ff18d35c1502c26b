package socket

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// peer tells who is at the other end: uid and pid by the kernel's word, as of
// when it connected.
func peer(conn *net.UnixConn) (ctap.Caller, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return ctap.Caller{}, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return ctap.Caller{}, err
	}
	if credErr != nil {
		return ctap.Caller{}, fmt.Errorf("SO_PEERCRED: %w", credErr)
	}
	return ctap.Caller{UID: int(cred.Uid), PID: int(cred.Pid), Door: ctap.DoorSocket}, nil
}
