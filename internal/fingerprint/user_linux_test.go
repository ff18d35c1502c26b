package fingerprint

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/fingerprint/fprinttest"
	"github.com/localpasskey/localpasskey/internal/logind/logindtest"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/held"
)

const (
	alice   = 60101
	pin     = "1234"
	rightly = 10 * time.Second // generous
)

// rig is a person at a prompt and a reader, and a chip that counts.
type rig struct {
	*testing.T
	logind  *logindtest.Logind
	fprintd *fprinttest.Fprintd
	person  *ctaptest.Person
	held    *held.PIN
	user    *User
	typed   atomic.Int32 // PINs that the hardware was shown
	fingers atomic.Int32 // the same, for fingers
	err     error        // what the hardware says
	ended   chan outcome
	cancel  context.CancelFunc
}

type outcome struct {
	approval authenticator.Approval
	err      error
}

func newRig(t *testing.T) *rig {
	t.Helper()
	l := logindtest.Start(t)
	r := &rig{T: t, logind: l, fprintd: fprinttest.Start(t, l.Address), person: ctaptest.NewPerson(ctaptest.Hold, 0, pin)}
	r.fprintd.Enroll(logindtest.Name(alice))
	r.held = held.New(func() time.Duration { return time.Hour })
	r.held.Keep([16]byte{}, []byte{1})
	r.user = &User{
		Prompt: r.person, Reader: &Reader{Bus: l.Address, UID: alice}, Held: r.held, Log: slog.New(slog.DiscardHandler),
	}
	return r
}

// begin asks.
func (r *rig) begin(accounts ...ctap.User) {
	r.Helper()
	ctx, cancel := context.WithCancel(r.Context())
	r.cancel = cancel
	ask := authenticator.Ask{
		Operation: authenticator.OperationSignIn, RP: ctap.RelyingParty{ID: "example.com"}, Accounts: accounts,
		Verify:   func(context.Context, secret.Bytes) error { r.typed.Add(1); return r.err },
		ByFinger: func(context.Context) error { r.fingers.Add(1); return r.err },
	}
	r.ended = make(chan outcome, 1)
	go func() {
		approval, err := r.user.Approve(ctx, ask)
		r.ended <- outcome{approval, err}
	}()
}

// open asks and waits for prompt and reader.
func (r *rig) open() {
	r.Helper()
	r.begin()
	r.opened()
	r.fprintd.Wait()
}

func (r *rig) opened() {
	r.Helper()
	select {
	case <-r.person.Opened():
	case <-time.After(rightly):
		r.Fatal("no prompt has opened")
	}
}

// end is how the question ends, and that the hardware has been shown as much.
func (r *rig) end(want error, typed, fingers int32) outcome {
	r.Helper()
	select {
	case o := <-r.ended:
		if !errors.Is(o.err, want) || r.typed.Load() != typed || r.fingers.Load() != fingers {
			r.Errorf("ended with %v, %d PINs and %d fingers; want %v, %d and %d", o.err, r.typed.Load(), r.fingers.Load(), want, typed, fingers)
		}
		return o
	case <-time.After(rightly):
		r.Fatal("the question does not end")
		return outcome{}
	}
}

// stillOpen: the question goes on, and nothing was shown to the hardware.
func (r *rig) stillOpen(what string) {
	r.Helper()
	select {
	case o := <-r.ended:
		r.Fatalf("%s: ended with %v", what, o.err)
	case <-time.After(100 * time.Millisecond):
	}
	if r.fingers.Load() != 0 {
		r.Errorf("%s counted", what)
	}
}

// type has the person type the PIN, now or at the next prompt.
func (r *rig) typePIN() { r.person.SetTouch(ctaptest.Auto) }

type userFunc func(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error)

func (f userFunc) Approve(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	return f(ctx, ask)
}

func TestMatch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.open()
	before := time.Now()
	r.fprintd.Say(fprinttest.Match)
	r.end(nil, 0, 1)
	t.Logf("from the match to a closed prompt: %v", time.Since(before))
	r.fprintd.WaitReleased(logindtest.Name(alice))
	if asked := r.person.Asked(); len(asked) != 1 || asked[0].ByFinger == nil {
		t.Errorf("the prompt does not know of the reader: %+v", asked)
	}
	// The hardware's no is the answer.
	r.err = ctap.UVBlocked
	r.open()
	r.fprintd.Say(fprinttest.Match)
	r.end(ctap.UVBlocked, 0, 2)
}

// A finger to lay on again, and one that is another's, leave the prompt open; after three
// of these the PIN alone counts.
func TestOtherFingers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.open()
	for _, result := range []string{"verify-retry-scan", "verify-swipe-too-short", "verify-finger-not-centered", "verify-remove-and-retry"} {
		r.fprintd.Say(result)
	}
	r.stillOpen("a finger to lay on again")
	for range MaxStrangers - 1 {
		r.fprintd.Say(fprinttest.NoMatch)
		r.fprintd.Wait()
	}
	r.stillOpen("another's finger")
	r.fprintd.Say(fprinttest.NoMatch)
	r.stillOpen("the third stranger")
	r.fprintd.Say(fprinttest.Match)
	r.stillOpen("a match after three strangers")
	r.cancel()
	r.end(context.Canceled, 0, 0)
	if !r.held.Is() {
		t.Error("three strangers have ended what is held")
	}
	r.open()
	r.fprintd.Say(fprinttest.NoMatch)
	r.fprintd.Wait()
	r.fprintd.Say(fprinttest.NoMatch)
	r.stillOpen("the fifth stranger")
	if r.held.Is() {
		t.Error("five strangers in a row have not ended what is held")
	}
	r.fprintd.Say(fprinttest.Match)
	r.stillOpen("a match with nothing held")
	r.cancel()
	r.end(context.Canceled, 0, 0)
	r.fprintd.WaitReleased(logindtest.Name(alice))
}

// The PIN is the answer as ever while the reader waits, and a wrong one ends the waiting.
func TestPINBesideTheReader(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.typePIN()
	r.begin()
	r.end(nil, 1, 0)
	r = newRig(t)
	r.err = &authenticator.WrongPIN{Retries: 2}
	wrong := make(chan error, 1)
	r.user.Prompt = userFunc(func(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
		r.fprintd.Wait()
		wrong <- ask.Verify(ctx, secret.Of([]byte("0000")))
		<-ctx.Done()
		return authenticator.Approval{}, ctx.Err()
	})
	r.begin()
	if err := <-wrong; !errors.Is(err, r.err) {
		t.Errorf("a wrong PIN: %v", err)
	}
	r.fprintd.Say(fprinttest.Match)
	r.stillOpen("a match after a wrong PIN")
	r.cancel()
	r.end(context.Canceled, 1, 0)
	// A no is a no.
	r = newRig(t)
	r.person.SetTouch(ctaptest.Deny)
	r.begin()
	r.end(ctap.OperationDenied, 0, 0)
}

// What is in the way of a finger leaves the prompt as it always is, and never waits long.
func TestNoFinger(t *testing.T) {
	t.Parallel()
	for what, spoil := range map[string]func(*rig){
		"fprintd is away":      func(r *rig) { r.fprintd.Stop() },
		"no bus":               func(r *rig) { r.logind.StopBus() },
		"no reader":            func(r *rig) { r.fprintd.Unplug() },
		"nothing enrolled":     func(r *rig) { r.user.Reader.UID++ },
		"claim refused":        func(r *rig) { r.fprintd.Fail("Claim", "PermissionDenied") },
		"in use":               func(r *rig) { r.fprintd.Fail("Claim", "AlreadyInUse") },
		"claim hangs":          func(r *rig) { r.fprintd.Hang("Claim") },
		"listing hangs":        func(r *rig) { r.fprintd.Hang("ListEnrolledFingers") },
		"manager hangs":        func(r *rig) { r.fprintd.Hang("GetDefaultDevice") },
		"waiting is refused":   func(r *rig) { r.fprintd.Fail("VerifyStart", "Internal") },
		"waiting hangs":        func(r *rig) { r.fprintd.Hang("VerifyStart") },
		"nothing is held":      func(r *rig) { r.held.Drop() },
		"a device of no class": func(r *rig) { r.fprintd.Fail("GetDefaultDevice", "Nonsense") },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			spoil(r)
			r.begin()
			r.opened()
			r.stillOpen("nothing")
			later := what == "waiting is refused" || what == "waiting hangs"
			if asked := r.person.Asked(); (asked[0].ByFinger != nil) != later {
				t.Errorf("the prompt speaks of the reader: %v", !later)
			}
			r.cancel()
			r.end(context.Canceled, 0, 0)
			r.typePIN()
			r.begin()
			r.end(nil, 1, 0)
		})
	}
}

// A reader that stops in the middle leaves the prompt.
func TestReaderStops(t *testing.T) {
	t.Parallel()
	for what, stop := range map[string]func(*rig){
		"disconnected":      func(r *rig) { r.fprintd.Say(fprinttest.Disconnected) },
		"unknown error":     func(r *rig) { r.fprintd.Say("verify-unknown-error") },
		"a word of no list": func(r *rig) { r.fprintd.Say("verify-perhaps") },
		"fprintd ends":      func(r *rig) { r.fprintd.Stop() },
		"the bus ends":      func(r *rig) { r.logind.StopBus() },
		"stopping hangs":    func(r *rig) { r.fprintd.Hang("VerifyStop"); r.fprintd.Say(fprinttest.NoMatch) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.open()
			stop(r)
			r.stillOpen(what)
			r.cancel()
			r.end(context.Canceled, 0, 0)
		})
	}
}

// Cancelled, whatever waits ends at once, also with an fprintd that hangs.
func TestCancelled(t *testing.T) {
	t.Parallel()
	for _, hangs := range []string{"", "VerifyStop", "Release"} {
		r := newRig(t)
		if hangs != "" {
			r.fprintd.Hang(hangs)
		}
		r.open()
		before := time.Now()
		r.cancel()
		r.end(context.Canceled, 0, 0)
		t.Logf("closed after %v, %q hanging", time.Since(before), hangs)
		r.fprintd.WaitReleased(logindtest.Name(alice))
	}
}

// TestForgedSignals: whoever else is on the bus can say what he likes.
func TestForgedSignals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	forger, err := dbus.Connect(r.logind.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer forger.Close()
	r.open()
	forge := func(path dbus.ObjectPath) {
		if err := forger.Emit(path, fprinttest.Device+".VerifyStatus", fprinttest.Match, true); err != nil {
			t.Fatal(err)
		}
	}
	forge(fprinttest.DevicePath)
	// To everybody on the bus by name, which needs no match of theirs.
	var names []string
	if err := forger.BusObject().Call("org.freedesktop.DBus.ListNames", 0).Store(&names); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for _, name := range names {
		if name[0] != ':' || name == forger.Names()[0] {
			continue
		}
		for serial := range uint32(40) { // and answers to what he has asked
			forger.Send(&dbus.Message{
				Type: dbus.TypeMethodReply, Flags: dbus.FlagNoReplyExpected,
				Headers: map[dbus.HeaderField]dbus.Variant{
					dbus.FieldDestination: dbus.MakeVariant(name), dbus.FieldReplySerial: dbus.MakeVariant(serial + 1),
				},
			}, nil)
		}
		forger.Send(&dbus.Message{
			Type: dbus.TypeSignal, Body: []any{fprinttest.Match, true},
			Headers: map[dbus.HeaderField]dbus.Variant{
				dbus.FieldDestination: dbus.MakeVariant(name), dbus.FieldPath: dbus.MakeVariant(fprinttest.DevicePath),
				dbus.FieldInterface: dbus.MakeVariant(fprinttest.Device), dbus.FieldMember: dbus.MakeVariant("VerifyStatus"),
				dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf("", false)),
			},
		}, nil)
		sent++
	}
	if sent < 2 {
		t.Fatalf("%d others on the bus", sent)
	}
	r.stillOpen("a forged match")
	// fprintd's own, about another device or with other words, is not ours either.
	r.fprintd.Emit(fprinttest.Path+"/Device/1", fprinttest.Match, true)
	r.fprintd.Emit(fprinttest.DevicePath, fprinttest.Match)
	r.fprintd.Emit(fprinttest.DevicePath, true, fprinttest.Match)
	r.stillOpen("another device's match")
	r.fprintd.Say(fprinttest.Match)
	r.end(nil, 0, 1)
}

// A match that fprintd has told others of, before the reader was ours, is none.
func TestEarlierMatch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 20 {
		r.fprintd.Say(fprinttest.Match)
	}
	r.open()
	r.stillOpen("a match of before")
	r.fprintd.Say(fprinttest.Match)
	r.end(nil, 0, 1)
}

// Dropped while the finger is on its way: the PIN is wanted.
func TestDroppedMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.open()
	r.held.Drop()
	r.fprintd.Say(fprinttest.Match)
	r.stillOpen("a match with nothing held")
	r.typePIN()
	r.cancel()
	r.end(context.Canceled, 0, 0)
}

// Of several accounts the person chooses one first; the finger is for that one.
func TestChoice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.person.Choose(1)
	r.user.Prompt = userFunc(func(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
		if ask.Verify == nil {
			if len(r.fprintd.Waiting) != 0 {
				t.Error("a finger is asked for before the choice")
			}
			r.person.SetTouch(ctaptest.Auto)
			defer r.person.SetTouch(ctaptest.Hold)
		}
		return r.person.Approve(ctx, ask)
	})
	r.begin(ctap.User{ID: []byte{1}, Name: "a"}, ctap.User{ID: []byte{2}, Name: "b"})
	r.fprintd.Wait()
	r.fprintd.Say(fprinttest.Match)
	if o := r.end(nil, 0, 1); o.approval.Account != 1 {
		t.Errorf("account %d", o.approval.Account)
	}
	asked := r.person.Asked()
	if len(asked) != 2 || asked[0].Verify != nil || asked[0].ByFinger != nil || len(asked[1].Accounts) != 1 || asked[1].Accounts[0].Name != "b" {
		t.Fatalf("asked %+v", asked)
	}
}

func TestEnrolled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	look := func(want error, n int) {
		t.Helper()
		if got, err := r.user.Reader.Enrolled(t.Context()); !errors.Is(err, want) || got != n {
			t.Errorf("%d, %v; want %d, %v", got, err, n, want)
		}
	}
	look(nil, 1)
	r.fprintd.Fail("ListEnrolledFingers", "PermissionDenied")
	look(ErrRefused, 0)
	r.user.Reader.UID++
	r.fprintd.Fail("ListEnrolledFingers", "")
	look(ErrNotEnrolled, 0)
	r.fprintd.Unplug()
	look(ErrNoReader, 0)
	r.fprintd.Stop()
	look(ErrAway, 0)
}
