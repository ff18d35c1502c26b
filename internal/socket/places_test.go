package socket_test

import (
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// One user's connections are no reason to turn another's away.
func TestConnectionsAreCountedPerAccount(t *testing.T) {
	d := start(t)
	conns := make([]*socket.Conn, 64)
	for i := range conns {
		conns[i] = dial(t, d)
		getInfo(t, conns[i])
	}
	for range 200 {
		if _, err := ctap.NewClient(dial(t, d)).GetInfo(t.Context()); err == nil {
			t.Fatal("one more than the most got in")
		}
	}
	d.other.Store(1)
	others := dial(t, d)
	getInfo(t, others)
	if err := others.Close(); err != nil {
		t.Fatal(err)
	}
	getInfo(t, dial(t, d))
}
