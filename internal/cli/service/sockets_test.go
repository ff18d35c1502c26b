package service

import (
	"net"
	"path/filepath"
	"testing"
)

// Who runs a daemon of his own means it; for all others the system's is there.
func TestWhichDaemon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	listen := func(name string) string {
		path := filepath.Join(dir, name)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return path
	}
	own, system := listen("own"), listen("system")
	dead := filepath.Join(dir, "dead")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	for _, c := range []struct {
		sockets Sockets
		want    string
	}{
		{Sockets{Named: "/named", Own: own, System: system}, "/named"},
		{Sockets{Own: own, System: system}, own},
		{Sockets{Own: dead, System: system}, system},
		{Sockets{Own: missing, System: system}, system},
		{Sockets{System: system}, system},
		{Sockets{Own: missing, System: missing}, missing},
		{Sockets{Own: dead, System: missing}, dead},
		{Sockets{Own: own}, own},
	} {
		if got, err := c.sockets.Client(); err != nil || got != c.want {
			t.Errorf("%+v: %q, %v; want %q", c.sockets, got, err, c.want)
		}
	}
	if got, err := (&Sockets{System: missing}).Client(); err == nil {
		t.Errorf("no place at all: %q", got)
	}
}
