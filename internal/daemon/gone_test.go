package daemon

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/ctap/notice"
)

// storageKey is the storage key's place.
const storageKey = tpm2.TPMHandle(0x81000001)

// evict removes the storage key from its place, as any program with access to the TPM can.
func (r *rig) evict() {
	r.Helper()
	conn, err := r.chip.Opener()(r.Context())
	check(r, err)
	defer conn.Close()
	public, err := tpm2.ReadPublic{ObjectHandle: storageKey}.Execute(conn)
	check(r, err)
	_, err = tpm2.EvictControl{
		Auth:             tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		ObjectHandle:     tpm2.NamedHandle{Handle: storageKey, Name: public.Name},
		PersistentHandle: storageKey,
	}.Execute(conn)
	check(r, err)
}

// A storage key that somebody has removed is made again, at the daemon's start and while it runs:
// no passkey is lost by that, and nobody is told so.
func TestStorageKeyRemoved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.setup()
	r.setPIN()
	check(t, register(t.Context(), r.channel()))
	check(t, r.d.Close())
	r.evict()
	r.d = r.again(r.d.StorePath, r.d.OpenTPM)
	if s := r.status(); s.Problem != nil || s.Passkeys != 1 {
		t.Errorf("removed before the start: %+v", s)
	}
	check(t, signIn(t.Context(), r.channel()))
	r.evict()
	if err := signIn(t.Context(), r.channel()); err == nil {
		t.Fatal("signed in without the storage key")
	}
	r.until("it is back", func() bool { return signIn(t.Context(), r.channel()) == nil })
	r.toldOfNoLoss()
}

// toldOfNoLoss checks that nobody was.
func (r *rig) toldOfNoLoss() {
	r.Helper()
	if gone := notice.Lost(r.Context(), r.channel()); gone != nil {
		r.Errorf("told of %+v", gone)
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second) // longer than a notice takes to settle
	defer cancel()
	for last := uint64(0); ; {
		told, err := r.d.board.Wait(ctx, last)
		if err != nil {
			return
		}
		for _, n := range told.Notices {
			if n.Kind == notice.Gone {
				r.Errorf("told of %+v", n)
			}
		}
		last = told.Last
	}
}

// Where an owner password keeps the storage key from being made again, nothing is told to be
// gone for good that may not be.
func TestStorageKeyUnderAnOwnerPassword(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.setup()
	check(t, r.d.Close())
	r.evict()
	setOwner := func(from, to string) {
		t.Helper()
		conn, err := r.chip.Opener()(t.Context())
		check(t, err)
		defer conn.Close()
		_, err = tpm2.HierarchyChangeAuth{
			AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth([]byte(from))},
			NewAuth:    tpm2.TPM2BAuth{Buffer: []byte(to)},
		}.Execute(conn)
		check(t, err)
	}
	setOwner("", "owner")
	r.d = r.again(r.d.StorePath, r.d.OpenTPM)
	if s := r.status(); s.Problem == nil {
		t.Errorf("%+v", s)
	}
	r.toldOfNoLoss()
	setOwner("owner", "")
	if s := r.status(); s.Problem != nil {
		t.Errorf("without the password: %+v", s.Problem)
	}
}

// That passkeys are gone is in the log once, without their names, and the store stays as it
// was.
func TestLossInTheLog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.setup()
	r.setPIN()
	check(t, register(t.Context(), r.channel()))
	check(t, r.d.Close())
	before, err := os.ReadFile(r.d.StorePath)
	check(t, err)
	conn, err := r.chip.Opener()(t.Context())
	check(t, err)
	_, err = tpm2.Clear{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHLockout, Auth: tpm2.PasswordAuth(nil)}}.Execute(conn)
	check(t, err)
	check(t, conn.Close())
	r.d = r.again(r.d.StorePath, r.d.OpenTPM)
	for range 3 {
		if s := r.status(); s.Problem == nil || !strings.Contains(s.Problem.What, "cannot be used any more: 1") {
			t.Errorf("%+v", s.Problem)
		}
	}
	if n := strings.Count(r.log.String(), "the keys of this store are gone"); n != 1 {
		t.Errorf("it is in the log %d times", n)
	}
	check(t, r.d.Close())
	if conn, err = r.chip.Opener()(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := (tpm2.ReadPublic{ObjectHandle: storageKey}).Execute(conn); !errors.Is(err, tpm2.TPMRCHandle) {
		t.Errorf("another storage key was put into the TPM: %v", err)
	}
	if after, err := os.ReadFile(r.d.StorePath); err != nil || string(after) != string(before) {
		t.Errorf("the store was changed (%v)", err)
	}
	if logged := r.log.String(); strings.Contains(logged, site) || strings.Contains(logged, account) {
		t.Errorf("the log names a site or an account: %s", logged)
	}
}

// Who is connected while the store is moved away and made anew has the new one.
func TestMovedAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.setup()
	r.setPIN()
	connected := r.channel()
	check(t, register(t.Context(), connected))
	check(t, os.Rename(r.d.StorePath, r.d.StorePath+".gone"))
	r.setup()
	r.setPIN()
	check(t, register(t.Context(), connected))
}
