package socket

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// What another listens at stays when we stop: it is there for the next of us.
func TestTakeOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	manager, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	for range 2 {
		file, err := manager.File()
		if err != nil {
			t.Fatal(err)
		}
		l, err := takeOver(file)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := Dial(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.unix.AcceptUnix(); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("the socket is gone: %v", err)
		}
	}
}

func TestNothingInherited(t *testing.T) {
	mine := strconv.Itoa(os.Getpid())
	for _, c := range [][2]string{{"", ""}, {mine, ""}, {"1", "1"}, {"", "1"}} {
		if l, err := Inherited(c[0], c[1]); l != nil || err != nil {
			t.Errorf("LISTEN_PID=%q LISTEN_FDS=%q: %v, %v", c[0], c[1], l, err)
		}
	}
	for _, count := range []string{"0", "2", "x"} {
		if _, err := Inherited(mine, count); ctap.StatusOf(err) != ctap.Other {
			t.Errorf("LISTEN_FDS=%q: %v", count, err)
		}
	}
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := takeOver(file); err == nil {
		t.Error("took a file for a socket")
	}
}
