package socket

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Ours: how much is told about the calling program.
const (
	maxPrograms     = 8
	maxProgramRunes = 32
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
	return ctap.Caller{
		UID: int(cred.Uid), PID: int(cred.Pid), Programs: programs(int(cred.Pid)), Door: ctap.DoorSocket,
	}, nil
}

// programs names the process and its parents, nearest first, but not init. They
// may have ended or changed their names meanwhile: this is for people to read.
func programs(pid int) []string {
	var names []string
	for pid > 0 && len(names) < maxPrograms {
		dir := "/proc/" + strconv.Itoa(pid)
		name, err := os.ReadFile(dir + "/comm") //nolint:gosec // a number from the kernel
		if err != nil {
			break
		}
		names = append(names, printable(string(bytes.TrimSuffix(name, []byte("\n")))))
		stat, err := os.ReadFile(dir + "/stat") //nolint:gosec // as above
		if err != nil {
			break
		}
		if pid = parent(stat); pid == 1 {
			break
		}
	}
	return names
}

// parent gives the parent's pid out of /proc/PID/stat, 0 where there is none. The
// name in it may hold spaces and parentheses, so the last one counts.
func parent(stat []byte) int {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	pid, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return pid
}

// printable replaces what could play tricks on a terminal or a dialog.
func printable(name string) string {
	count := 0
	return strings.Map(func(r rune) rune {
		if count++; count > maxProgramRunes {
			return -1
		}
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, name)
}
