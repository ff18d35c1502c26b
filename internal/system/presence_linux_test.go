package system

import (
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/logind/logindtest"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// seated is a rig whose users are logged in: alice is in front.
func seated(t *testing.T) (r *rig, a, b *logindtest.Session) {
	t.Helper()
	r = newRig(t)
	r.stop()
	r.logind = logindtest.Start(t)
	a = r.logind.Login("1", alice, nil)
	b = r.logind.Login("2", bob, func(s *logindtest.Session) { s.Active = false })
	r.start()
	return r, a, b
}

// gone waits until the device is withdrawn.
func (d *device) gone(t *testing.T) {
	t.Helper()
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			if _, err := d.ReadReport(); err != nil {
				return
			}
		}
	}()
	select {
	case <-read:
	case <-time.After(20 * time.Second):
		t.Fatalf("the device of %d is still there", d.uid)
	}
}

// appeared is the device that comes next, which is this user's.
func (r *rig) appeared(uid int) *device {
	r.Helper()
	select {
	case d := <-r.devices:
		if d.uid != uid {
			r.Fatalf("a device of %d, want one of %d", d.uid, uid)
		}
		return d
	case <-time.After(20 * time.Second):
		r.Fatalf("no device of %d", uid)
		return nil
	}
}

// The device goes with the lock, the switch, the logout and the sleep, and comes back
// with its user.
func TestDeviceFollowsItsUser(t *testing.T) {
	t.Parallel()
	r, a, b := seated(t)
	client, d := r.setUp(alice)
	for what, c := range map[string]struct{ goes, comes func() }{
		"lock":   {func() { a.SetLocked(true) }, func() { a.SetLocked(false) }},
		"switch": {func() { a.SetActive(false) }, func() { a.SetActive(true) }},
		"sleep":  {func() { r.logind.PrepareForSleep(true) }, func() { r.logind.PrepareForSleep(false) }},
		"logout": {func() { a.Logout() }, func() { a = r.logind.Login("3", alice, nil) }},
		"no bus": {r.logind.StopBus, func() { r.logind.StartBus(); r.logind.StartService() }},
	} {
		t.Log(what)
		c.goes()
		d.gone(t)
		if s := r.status(client); s.Node != "" || s.NodeProblem == nil || !s.SetUp {
			t.Errorf("%s: status %+v", what, s)
		}
		_, err := client.Vendor(t.Context(), ctap.CommandReconnect, nil)
		check(t, err)
		if len(r.devices) != 0 {
			t.Errorf("%s: reconnect brings the device back", what)
		}
		c.comes()
		d = r.appeared(alice)
	}
	// The set-up of one who is not in front makes no device; it comes when he is.
	bobs := r.dial(bob)
	_, err := bobs.Vendor(t.Context(), ctap.CommandSetup, nil)
	check(t, err)
	if s := r.status(bobs); s.Node != "" || s.NodeProblem == nil {
		t.Errorf("bob's status: %+v", s)
	}
	a.SetActive(false)
	b.SetActive(true)
	d.gone(t)
	r.appeared(bob)
}

// Where the desktop does not tell of its lock screen, being idle ends what a lock would.
func TestIdleEndsWhatWasPermitted(t *testing.T) {
	t.Parallel()
	r, a, _ := seated(t)
	client, d := r.setUp(alice)
	if told := r.status(client).LockTold; told == nil || *told {
		t.Errorf("before any lock: told %v", told)
	}
	token, err := ctap.Platform{Authenticator: client, Protocol: pinuv.Two}.TokenWithPIN(
		t.Context(), secret.Of([]byte(testPIN)), ctap.PermissionCredentialManagement, "")
	check(t, err)
	a.SetIdle(true)
	d.gone(t)
	if s := r.status(client); s.NodeProblem == nil || s.LockTold != nil {
		t.Errorf("idle: %+v", s)
	}
	if _, err := ctap.ManageCredentials(t.Context(), client, token, ctap.GetCredsMetadata, nil); err == nil {
		t.Error("a token of before the idleness is good after it")
	}
	a.SetIdle(false)
	d = r.appeared(alice)

	a.SetLocked(true)
	d.gone(t)
	a.SetLocked(false)
	r.appeared(alice)
	if told := r.status(client).LockTold; told == nil || !*told {
		t.Errorf("after a lock: told %v", told)
	}
	a.SetIdle(true)
	time.Sleep(3 * idle)
	if s := r.status(client); s.Node == "" {
		t.Error("withdrawn from one who is idle, by a desktop that locks")
	}
}

// What was permitted before the lock, and what was being asked, is over.
func TestLockEndsWhatWasPermitted(t *testing.T) {
	t.Parallel()
	r, a, _ := seated(t)
	client, d := r.setUp(alice)
	p := ctap.Platform{Authenticator: client, Protocol: pinuv.Two}
	token, err := p.TokenWithPIN(t.Context(), secret.Of([]byte(testPIN)), ctap.PermissionCredentialManagement, "")
	check(t, err)
	permitted := func() error {
		_, err := ctap.ManageCredentials(t.Context(), client, token, ctap.GetCredsMetadata, nil)
		return err
	}
	check(t, permitted())
	person := r.attend(alice)
	person.SetTouch(ctaptest.Hold)
	asked := make(chan error, 1)
	go func() { asked <- register(t.Context(), r.dial(alice), "alice.example") }()
	<-person.Opened()
	a.SetLocked(true)
	d.gone(t)
	if err := <-asked; err == nil {
		t.Error("what was asked before the lock was answered")
	}
	a.SetLocked(false)
	r.appeared(alice)
	if err := permitted(); err == nil {
		t.Error("a token of before the lock is good after it")
	}
}
