package main

import "testing"

func TestPlaces(t *testing.T) {
	for _, c := range []struct{ home, data, want string }{
		{"/home/alice", "", "/home/alice/.local/share"},
		{"/home/alice", "/data/alice", "/data/alice"},
		{"/home/alice", "relative", "/home/alice/.local/share"}, // to be ignored, says XDG
		{"", "", ""},
		{"relative", "", ""},
	} {
		t.Setenv("HOME", c.home)
		t.Setenv("XDG_DATA_HOME", c.data)
		if got := dataHome(); got != c.want {
			t.Errorf("HOME=%q XDG_DATA_HOME=%q: data is kept in %q, want %q", c.home, c.data, got, c.want)
		}
	}
	if got, want := below("/run/user/1000", "localpasskey", "socket"), "/run/user/1000/localpasskey/socket"; got != want {
		t.Errorf("the socket is %q, want %q", got, want)
	}
	if got := below("", "localpasskey"); got != "" {
		t.Errorf("a place without a directory is %q", got)
	}
}
