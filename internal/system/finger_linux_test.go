package system

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/agent"
	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/finger"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/fingerprint/fprinttest"
	"github.com/localpasskey/localpasskey/internal/logind/logindtest"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/socket"
)

const fingerSite = "alice.example"

// reading is alice with a passkey, a fingerprint reader and an agent.
type reading struct {
	*rig
	session *logindtest.Session
	fprintd *fprinttest.Fprintd
	a       ctap.Authenticator
	key     *device
	person  *ctaptest.Person
}

func newReading(t *testing.T) *reading {
	t.Helper()
	r, session, _ := seated(t)
	f := &reading{rig: r, session: session, fprintd: fprinttest.Start(t, r.logind.Address)}
	f.fprintd.Enroll(logindtest.Name(alice))
	f.a, f.key = r.setUp(alice)
	f.person = r.attend(alice)
	check(t, register(t.Context(), f.a, fingerSite))
	f.person.Asked()
	return f
}

func (f *reading) token(permissions ctap.Permission) pinuv.Token {
	f.Helper()
	token, err := ctap.Platform{Authenticator: f.a, Protocol: pinuv.Two}.TokenWithPIN(f.Context(), secret.Of([]byte(testPIN)), permissions, "")
	check(f, err)
	return token
}

// set changes the setting.
func (f *reading) set(seconds uint) {
	f.Helper()
	token := f.token(ctap.PermissionConfiguration)
	defer token.Wipe()
	check(f, finger.Set(f.Context(), f.a, token, seconds))
}

func (f *reading) state() *finger.State {
	f.Helper()
	state, err := ctap.Call[finger.State](f.Context(), f.a, finger.Command, nil)
	check(f, err)
	return state
}

// begin signs in; how it ends is sent.
func (f *reading) begin() <-chan error {
	ended := make(chan error, 1)
	go func() {
		yes := true
		response, err := f.a.GetAssertion(f.Context(), &ctap.GetAssertionRequest{
			RPID: fingerSite, ClientDataHash: make([]byte, 32), Options: &ctap.Options{UV: &yes},
		})
		if err == nil && response.AuthData[32]&5 != 5 {
			err = errors.New("signed without UP and UV")
		}
		ended <- err
	}()
	return ended
}

// byPIN signs in with the PIN typed, and no finger is asked for.
func (f *reading) byPIN(why string) {
	f.Helper()
	f.person.SetTouch(ctaptest.Auto)
	if err := <-f.begin(); err != nil {
		f.Errorf("%s: by PIN: %v", why, err)
	}
	if asked := f.person.Asked(); len(asked) != 1 || asked[0].ByFinger != nil || asked[0].Verify == nil || len(f.fprintd.Waiting) != 0 {
		f.Errorf("%s: asked %+v, the reader %d times; want the PIN alone", why, asked, len(f.fprintd.Waiting))
	}
}

// byFinger signs in with a finger, once the prompt is open, and no PIN is typed.
func (f *reading) byFinger(why string) {
	f.Helper()
	f.person.SetTouch(ctaptest.Hold)
	select {
	case <-f.person.Opened(): // by what was asked before
	default:
	}
	ended := f.begin()
	<-f.person.Opened()
	f.fprintd.Wait()
	f.fprintd.Say(fprinttest.Match)
	if err := <-ended; err != nil {
		f.Errorf("%s: by finger: %v", why, err)
	}
	f.fprintd.WaitReleased(logindtest.Name(alice))
	if asked := f.person.Asked(); len(asked) != 1 || asked[0].ByFinger == nil || asked[0].RP.ID != fingerSite {
		f.Errorf("%s: asked %+v; want a prompt that tells of the reader", why, asked)
	}
}

func TestFingerStandsForPIN(t *testing.T) {
	t.Parallel()
	f := newReading(t)
	f.byPIN("off by default")
	f.byPIN("off by default, again")
	if s := f.state(); s.Seconds != 0 || s.Held || s.Unavailable {
		t.Errorf("state %+v", s)
	}
	info, err := f.a.GetInfo(t.Context())
	check(t, err)
	if info.UVModality != 4 {
		t.Errorf("modality %#x while off", info.UVModality)
	}
	f.set(3600)
	if s := f.state(); s.Seconds != 3600 || s.Held || s.Enrolled != 1 || s.Problem != nil {
		t.Errorf("state when it is on: %+v", s)
	}
	f.byPIN("the first after it was turned on")
	f.byFinger("the second")
	f.byFinger("the third")
	if s := f.state(); !s.Held {
		t.Errorf("state after fingers: %+v", s)
	}
	if info, err = f.a.GetInfo(t.Context()); err != nil || info.UVModality != 6 || *info.UVCountSinceLastPINEntry != 2 {
		t.Errorf("info after two fingers: %v, modality %#x, count %d", err, info.UVModality, *info.UVCountSinceLastPINEntry)
	}
	f.person.SetTouch(ctaptest.Hold)
	registering := make(chan error, 1)
	go func() { registering <- register(t.Context(), f.a, "other.example") }()
	f.fprintd.Wait()
	f.fprintd.Say(fprinttest.Match)
	if err := <-registering; err != nil {
		t.Errorf("registering by finger: %v", err)
	}
	// A browser that asks for a token first.
	fetching := make(chan error, 1)
	go func() {
		token, err := ctap.Platform{Authenticator: f.a, Protocol: pinuv.Two}.TokenWithUV(t.Context(), ctap.PermissionGetAssertion, fingerSite)
		token.Wipe()
		fetching <- err
	}()
	f.fprintd.Wait()
	f.fprintd.Say(fprinttest.Match)
	if err := <-fetching; err != nil {
		t.Errorf("a token by finger: %v", err)
	}
	// The trail tells of the setting and of each finger.
	trail, err := ctap.ReadTrail(t.Context(), f.a)
	check(t, err)
	fingers := 0
	for _, e := range trail.Entries {
		if e.Event == ctap.AuditFinger && e.RPID != "" && e.Detail != "" {
			fingers++
		}
	}
	on := func(e ctap.AuditEntry) bool { return e.Detail == "fingerprint on, for 1h0m0s after the PIN" }
	if fingers != 4 || !slices.ContainsFunc(trail.Entries, on) {
		t.Errorf("the trail has %d fingers: %+v", fingers, trail.Entries)
	}
	// A PIN that a browser has collected is a PIN too.
	f.reconnectQuietly()
	token := f.token(ctap.PermissionCredentialManagement)
	token.Wipe()
	f.person.Asked()
	f.byFinger("after a PIN in a browser")
}

// TestHeldPINIsDropped: after each of these the PIN is wanted once, and then a finger does.
func TestHeldPINIsDropped(t *testing.T) {
	t.Parallel()
	f := newReading(t)
	f.set(3600)
	away := func(go1, back func()) func() {
		return func() {
			go1()
			f.key.gone(t)
			back()
			f.key = f.appeared(alice)
		}
	}
	platform := ctap.Platform{Authenticator: f.a, Protocol: pinuv.Two}
	for what, end := range map[string]func(){
		"lock":   away(func() { f.session.SetLocked(true) }, func() { f.session.SetLocked(false) }),
		"switch": away(func() { f.session.SetActive(false) }, func() { f.session.SetActive(true) }),
		"sleep":  away(func() { f.logind.PrepareForSleep(true) }, func() { f.logind.PrepareForSleep(false) }),
		"logout": away(func() { f.session.Logout() }, func() { f.session = f.logind.Login("9", alice, nil) }),
		"reconnect": func() {
			_, err := f.a.Vendor(t.Context(), ctap.CommandReconnect, nil)
			check(t, err)
			f.key = f.appeared(alice)
		},
		"wrong PIN": func() {
			if _, err := platform.TokenWithPIN(t.Context(), secret.Of([]byte("wrong")), ctap.PermissionCredentialManagement, ""); !errors.Is(err, ctap.PINInvalid) {
				t.Errorf("a wrong PIN: %v", err)
			}
		},
		"new PIN": func() {
			check(t, platform.ChangePIN(t.Context(), secret.Of([]byte(testPIN)), secret.Of([]byte("another"))))
			check(t, platform.ChangePIN(t.Context(), secret.Of([]byte("another")), secret.Of([]byte(testPIN))))
		},
		"setting changed": func() { f.set(0); f.set(7200) },
		"service anew": func() {
			f.stop()
			f.start()
			f.key = f.appeared(alice)
			f.a, f.person = f.dial(alice), f.attend(alice)
			platform.Authenticator = f.a
		},
	} {
		f.byPIN("before: " + what)
		f.byFinger("before: " + what)
		if !f.state().Held {
			t.Errorf("%s: nothing is held before", what)
		}
		end()
		if f.state().Held {
			t.Errorf("%s: it is held after", what)
		}
		f.byPIN("after: " + what)
		f.byFinger("after: " + what)
		f.reconnectQuietly()
	}
}

// reconnectQuietly drops what is held.
func (f *reading) reconnectQuietly() {
	f.Helper()
	_, err := f.a.Vendor(f.Context(), ctap.CommandReconnect, nil)
	check(f, err)
	f.key = f.appeared(alice)
}

// A PIN that is typed while the screen is locked is not held.
func TestNothingIsHeldWhileLocked(t *testing.T) {
	t.Parallel()
	f := newReading(t)
	f.set(3600)
	f.session.SetLocked(true)
	f.key.gone(t)
	f.byPIN("locked")
	if f.state().Held {
		t.Error("held while the screen is locked")
	}
	f.session.SetLocked(false)
	f.key = f.appeared(alice)
	f.byPIN("unlocked")
	f.byFinger("unlocked")
}

func TestHeldForItsTime(t *testing.T) {
	t.Parallel()
	f := newReading(t)
	f.set(finger.MinSeconds)
	f.byPIN("first")
	f.byFinger("within its time")
	// Time itself is package held's to test; here, that the setting is what counts.
	token := f.token(ctap.PermissionConfiguration)
	defer token.Wipe()
	for _, seconds := range []uint{1, finger.MinSeconds - 1, finger.MaxSeconds + 1} {
		if err := finger.Set(t.Context(), f.a, token, seconds); !errors.Is(err, ctap.InvalidParameter) {
			t.Errorf("%d seconds: %v", seconds, err)
		}
	}
}

// Locked while the reader waits: the question is over, and the finger comes too late.
func TestLockedWhileTheReaderWaits(t *testing.T) {
	t.Parallel()
	f := newReading(t)
	f.set(3600)
	f.byPIN("first")
	f.person.SetTouch(ctaptest.Hold)
	ended := f.begin()
	f.fprintd.Wait()
	f.session.SetLocked(true)
	if err := <-ended; err == nil {
		t.Error("signed after the lock")
	}
	f.fprintd.WaitReleased(logindtest.Name(alice))
	f.fprintd.Say(fprinttest.Match)
	f.key.gone(t)
	f.session.SetLocked(false)
	f.key = f.appeared(alice)
	f.person.Asked()
	f.byPIN("after the lock")
}

// TestSettingTakesThePIN: no finger, no token of another kind, no bare request changes it.
func TestSettingTakesThePIN(t *testing.T) {
	t.Parallel()
	f := newReading(t)
	hour := uint(3600)
	for what, req := range map[string]finger.Request{
		"bare":     {Seconds: &hour},
		"no token": {Seconds: &hour, PINUVAuthProtocol: pinuv.Two, PINUVAuthParam: make([]byte, 32)},
	} {
		if _, err := ctap.Call[struct{}](t.Context(), f.a, finger.Command, req); err == nil {
			t.Errorf("%s: changed", what)
		}
	}
	other := f.token(ctap.PermissionCredentialManagement)
	if err := finger.Set(t.Context(), f.a, other, hour); !errors.Is(err, ctap.PINAuthInvalid) {
		t.Errorf("with a token for something else: %v", err)
	}
	if f.state().Seconds != 0 {
		t.Fatal("changed without the PIN")
	}
	f.set(hour)
	f.byPIN("first")
	f.person.SetTouch(ctaptest.Hold)
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan error, 1)
	go func() {
		_, err := ctap.Platform{Authenticator: f.a, Protocol: pinuv.Two}.TokenWithUV(ctx, ctap.PermissionConfiguration, "")
		asked <- err
	}()
	<-f.person.Opened()
	<-f.person.Opened()
	if got := f.person.Asked(); len(got) != 1 || got[0].ByFinger != nil || len(f.fprintd.Waiting) != 0 {
		t.Errorf("a finger is asked for: %+v", got)
	}
	cancel()
	if err := <-asked; err == nil {
		t.Error("a token for settings without the PIN")
	}
}

// TestNoFingerResets: where a finger stands for the PIN, destroying all takes the PIN still.
func TestNoFingerResets(t *testing.T) {
	t.Parallel()
	f := newReading(t)
	f.set(3600)
	f.byPIN("first")
	check(t, f.a.Reset(t.Context()))
	if got := f.person.Asked(); len(got) != 1 || got[0].Operation != authenticator.OperationReset || got[0].ByFinger != nil || got[0].Verify == nil || len(f.fprintd.Waiting) != 0 {
		t.Errorf("asked %+v, the reader %d times; want the PIN alone", got, len(f.fprintd.Waiting))
	}
}

// TestAgentsWordIsNoFinger: an agent says yes, calls what it has for a finger, and sends
// PINs that are none.
func TestAgentsWordIsNoFinger(t *testing.T) {
	t.Parallel()
	f := newReading(t)
	f.set(3600)
	f.byPIN("first")
	var said error
	lying := userFunc(func(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
		if ask.ByFinger == nil {
			t.Error("the agent is not told of the reader")
			return authenticator.Approval{}, nil
		}
		said = ask.ByFinger(ctx)
		return authenticator.Approval{}, nil
	})
	desk := agent.NewDesk(lying)
	if err := f.signBy(desk.Answer); !errors.Is(err, ctap.OperationDenied) {
		t.Errorf("an agent's yes: %v", err)
	}
	desk.Close()
	if !errors.Is(said, ctap.NotAllowed) {
		t.Errorf("an agent's finger: %v", said)
	}
	if !f.state().Held {
		t.Error("what is held is gone")
	}
	empty := []byte{0xa2, 0x01, 0x00, 0x03, 0x40} // {1: 0, 3: ""}
	err := f.signBy(func(context.Context, []byte) []byte { return slices.Clone(empty) })
	if !errors.Is(err, ctap.OperationDenied) {
		t.Errorf("empty PINs: %v", err)
	}
	if left := f.status(f.a).PINRetries; left != 5 || f.state().Held {
		t.Errorf("after three empty PINs %d tries are left, held %v", left, f.state().Held)
	}
}

// signBy signs in with that as alice's agent. The first question that it gets shows that it
// is the one that is asked, and is answered with a no.
func (f *reading) signBy(answer func(ctx context.Context, question []byte) []byte) error {
	f.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	asked, ended := make(chan struct{}), make(chan struct{})
	go as(f, alice, func() {
		defer close(ended)
		_ = socket.Attend(ctx, f.path, func() {}, func(ctx context.Context, question []byte) []byte {
			select {
			case <-asked:
				return answer(ctx, question)
			default:
				close(asked)
				return []byte{0xa1, 0x01, 0x18, byte(ctap.OperationDenied)} // {1: OPERATION_DENIED}
			}
		})
	})
	defer func() { cancel(); <-ended }()
	f.askUntil(asked)
	return <-f.begin()
}

// askUntil asks for what no finger gives until asked is closed. Alice's own agent says no.
func (f *reading) askUntil(asked <-chan struct{}) {
	f.Helper()
	f.person.SetTouch(ctaptest.Deny)
	platform := ctap.Platform{Authenticator: f.a, Protocol: pinuv.Two}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		_, err := platform.TokenWithUV(f.Context(), ctap.PermissionConfiguration, "")
		select {
		case <-asked:
			return
		default:
		}
		if err == nil || time.Now().After(deadline) {
			f.Fatalf("the agent is not asked: %v", err)
		}
	}
}

type userFunc func(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error)

func (f userFunc) Approve(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	return f(ctx, ask)
}
