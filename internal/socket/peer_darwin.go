package socket

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// peer tells who is at the other end, by the kernel's word.
func peer(conn *net.UnixConn) (ctap.Caller, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return ctap.Caller{}, err
	}
	var cred *unix.Xucred
	var pid int
	var credErr, pidErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
		pid, pidErr = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	}); err != nil {
		return ctap.Caller{}, err
	}
	if err := errors.Join(credErr, pidErr); err != nil {
		return ctap.Caller{}, fmt.Errorf("LOCAL_PEERCRED: %w", err)
	}
	return ctap.Caller{UID: int(cred.Uid), PID: pid, Door: ctap.DoorSocket}, nil
}
