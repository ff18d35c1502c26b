package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/local"
)

// TestFullDisk: what does not fit is refused, and what was there works, also on the full disk.
func TestFullDisk(t *testing.T) {
	c := newCommandLine(t)
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("cannot mount a small file system (it takes root): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	c.config.StorePath = filepath.Join(dir, "passkeys.db")
	c.run(0, "setup")
	register(t, c.config, "octocat")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	acknowledged := 0
	l := local.New(c.config)
	var err error
	for ; err == nil && acknowledged < 5000; acknowledged++ { // the file's free pages are used up first
		err = registers(t.Context(), l, "full.example", fmt.Sprintf("user%d", acknowledged))
	}
	acknowledged--
	if err := errors.Join(err, l.Close()); ctap.StatusOf(err) != ctap.KeyStoreFull {
		t.Errorf("after %d more passkeys: %v", acknowledged, err)
	}
	c.holds(c.run(0, "list", "--filter", "octocat"), "octocat")
	c.holds(c.run(0, "status"), fmt.Sprintf("%d in this program", acknowledged+1))
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	c.whole()
	if err := signIn(t.Context(), c.config); err != nil {
		t.Error(err)
	}
	register(t, c.config, "hubot")
}
