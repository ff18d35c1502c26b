package places_test

import (
	"testing"

	"github.com/localpasskey/localpasskey/internal/places"
)

func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ home, named, store, state string }{
		{"/home/alice", "", "/home/alice/.local/share/localpasskey/passkeys.db", "/home/alice/.local/state/localpasskey"},
		{"/home/alice", "/data/alice", "/data/alice/localpasskey/passkeys.db", "/data/alice/localpasskey"},
		// To be ignored, says XDG.
		{"/home/alice", "relative", "/home/alice/.local/share/localpasskey/passkeys.db", "/home/alice/.local/state/localpasskey"},
		{"", "", "", ""},
		{"relative", "", "", ""},
	} {
		env := places.Environment(func(name string) string {
			return map[string]string{"HOME": c.home, "XDG_DATA_HOME": c.named, "XDG_STATE_HOME": c.named}[name]
		})
		if store, state := env.Store(), env.State(); store != c.store || state != c.state {
			t.Errorf("HOME=%q, named %q: the store is %q, want %q; the state %q, want %q", c.home, c.named, store, c.store, state, c.state)
		}
	}
	runtime := places.Environment(func(name string) string { return map[string]string{"XDG_RUNTIME_DIR": "/run/user/1000"}[name] })
	if got, want := runtime.Socket(), "/run/user/1000/localpasskey/socket"; got != want {
		t.Errorf("the socket is %q, want %q", got, want)
	}
	if got := places.Below("", "localpasskey"); got != "" {
		t.Errorf("a place without a directory is %q", got)
	}
	if got := runtime.Socket() + runtime.StoreOnMac(); got != "/run/user/1000/localpasskey/socket" {
		t.Errorf("without a home directory there is %q", got)
	}
}
