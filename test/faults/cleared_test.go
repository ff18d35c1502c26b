//go:build linux

package faults

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/doctor"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// TestTPMIsCleared clears the TPM under a daemon that runs. Nothing works any more, and
// no answer says that it did; status and doctor say what happened and what to do,
// and doing that helps.
func TestTPMIsCleared(t *testing.T) {
	w := populated(t, inTempDir(t))
	path := filepath.Join(t.TempDir(), "socket")
	l, err := socket.Listen(path, 0o600)
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- w.d.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); check(t, <-served) })

	conn, err := w.chip.Opener()(t.Context())
	check(t, err)
	_, err = tpm2.Clear{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHLockout, Auth: tpm2.PasswordAuth(nil)}}.Execute(conn)
	check(t, err)
	check(t, conn.Close())
	for _, o := range operations() {
		err := o.run(t.Context(), w)
		// Of these, one deletes nothing, and the other is a claim, of which nothing can come.
		if err == nil && (o.name == "deletion" || o.name == "proof") {
			continue
		}
		// The daemon finds out beside the first, and closes the store, as if the key was pulled.
		if !slices.Contains([]ctap.Status{ctap.IntegrityFailure, ctap.KeepaliveCancel, ctap.Other}, ctap.StatusOf(err)) {
			t.Errorf("%s: %v", o.name, err)
		}
	}
	if s := w.status(); s.Problem == nil || !strings.Contains(s.Problem.Hint, "then `localpasskey setup`") {
		t.Errorf("status %+v", s)
	}
	findings := doctor.Examine(t.Context(), doctor.Machine{Root: "/", UID: os.Getuid(), Socket: path, Version: "1.2.3"})
	found := slices.IndexFunc(findings, func(f doctor.Finding) bool { return f.Check == "set-up" })
	if f := findings[found]; f.State != doctor.Problem || !strings.Contains(f.Text, "TPM") || !strings.Contains(f.Hint, "mv "+w.path) {
		t.Errorf("doctor says %+v", f)
	} else {
		t.Logf("doctor says: %s; hint: %s", f.Text, f.Hint)
	}

	check(t, os.Rename(w.path, w.path+".lost"))
	check(t, setUp().run(t.Context(), w))
	w.begun()
	check(t, operations()[registering].run(t.Context(), w))
	w.verify("set up anew")
}
