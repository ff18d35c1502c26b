package authenticator_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/ctaptest/hidtest"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm"
)

// What these tests take for slow, and for a person's thinking.
const (
	slowCommand = 300 * time.Millisecond
	thinking    = 450 * time.Millisecond
	// longestSilence is what platforms are promised (CTAP 2.3 §11.2.9.1.7).
	longestSilence = 100 * time.Millisecond
)

// delay is a TPM that takes its time for each command.
type delay struct{ each atomic.Int64 }

func (d *delay) on(open tpm.Opener) tpm.Opener {
	return func(ctx context.Context) (tpm.Conn, error) {
		conn, err := open(ctx)
		return delayed{conn, d}, err
	}
}

type delayed struct {
	tpm.Conn
	delay *delay
}

func (c delayed) Send(command []byte) ([]byte, error) {
	time.Sleep(time.Duration(c.delay.each.Load()))
	return c.Conn.Send(command)
}

// listener is a platform on a HID channel that notes when it hears what.
type listener struct {
	*testing.T
	hid   *hidtest.HID
	heard []beat
}

// beat is a keep-alive, at some time since the request.
type beat struct {
	at     time.Duration
	status ctap.Progress
}

func newListener(t *testing.T, n *hidtest.HIDNode) *listener {
	t.Helper()
	l := &listener{T: t}
	var err error
	l.hid, err = hidtest.NewHID(n.Open())
	check(t, err)
	return l
}

// Exchange checks that the platform is never left alone for longer than it was
// promised.
func (l *listener) Exchange(ctx context.Context, request []byte) ([]byte, error) {
	began := time.Now()
	l.heard = nil
	l.hid.OnProgress = func(p ctap.Progress) { l.heard = append(l.heard, beat{time.Since(began), p}) }
	response, err := l.hid.Exchange(ctx, request)
	end := time.Since(began)
	last := time.Duration(0)
	for _, b := range append(l.heard, beat{at: end}) {
		if silence := b.at - last; silence > longestSilence {
			l.Errorf("command %#x: nothing was heard for %v, from %v on", request[0], silence, last)
		}
		last = b.at
	}
	l.heard = append(l.heard, beat{at: end})
	return response, err
}

// story tells what was heard during the last request: each status with the time of
// its first beat, and when the answer came.
func (l *listener) story() string {
	var told []string
	var last ctap.Progress
	end := l.heard[len(l.heard)-1].at
	for _, b := range l.heard {
		if b.at == end && b.status != 0 {
			continue // just before the answer, or overtaken by it
		}
		name, ok := map[ctap.Progress]string{0: "answer", ctap.ProgressProcessing: "working", ctap.ProgressUserNeeded: "user"}[b.status]
		if !ok {
			name = fmt.Sprintf("status %d", b.status)
		}
		if b.status != last || b.status == 0 {
			told = append(told, fmt.Sprintf("%s %d", name, b.at.Milliseconds()))
		}
		last = b.status
	}
	return strings.Join(told, ", ")
}

// onSlowTPM has do speak CTAPHID, in virtual time, with an authenticator whose TPM is
// slow, where the PIN is set and one passkey registered.
func onSlowTPM(t *testing.T, do func(t *testing.T, l *listener, p ctap.Platform, s *stack)) {
	t.Helper()
	slow := new(delay)
	s := newStackOn(t, slow.on)
	synctest.Test(t, func(t *testing.T) {
		var err error
		person := ctaptest.NewPerson(ctaptest.Auto, thinking, "1234")
		s.Authenticator, err = authenticator.New(authenticator.Config{
			Keys: s.machine, PIN: s.machine, Store: forgetful{s.store}, User: person, Eraser: s,
			BuiltInUV: func() bool { return true }, AAGUID: authenticator.TPMAAGUID(),
			Log: slog.New(slog.DiscardHandler),
		})
		check(t, err)
		l := newListener(t, plug(t, s))
		p := ctap.Platform{Authenticator: ctap.NewClient(l), Protocol: pinuv.Two}
		check(t, p.SetPIN(t.Context(), secret.Of([]byte("1234"))))
		_, err = p.Authenticator.MakeCredential(t.Context(), register(t, p))
		check(t, err)
		slow.each.Store(int64(slowCommand))
		do(t, l, p, s)
	})
}

// While a slow TPM works the platform hears of it, and what the request waits for: the
// person from when the question is open until they have answered, and otherwise us.
func TestSlowTPMIsHeardOf(t *testing.T) {
	onSlowTPM(t, func(t *testing.T, l *listener, p ctap.Platform, _ *stack) {
		tells := func(name, want string, err error) {
			t.Helper()
			check(t, err)
			t.Logf("%-44s %s", name, l.story())
			if got := l.story(); got != want {
				t.Errorf("%s: heard %s, want %s", name, got, want)
			}
		}
		_, err := p.Authenticator.ClientPIN(t.Context(), &ctap.ClientPINRequest{Subcommand: ctap.GetPINRetries})
		tells("read the tries", "working 80, answer 300", err)
		check(t, p.ChangePIN(t.Context(), secret.Of([]byte("1234")), secret.Of([]byte("1234"))))
		tells("change the PIN", "working 80, answer 1800", nil)
		_, err = p.TokenWithPIN(t.Context(), secret.Of([]byte("1234")), ctap.PermissionGetAssertion, rpID)
		tells("token with the PIN", "working 80, answer 900", err)
		_, err = p.TokenWithUV(t.Context(), ctap.PermissionGetAssertion, rpID)
		tells("token with our own prompt", "working 80, user 300, answer 1650", err)

		_, err = p.Authenticator.MakeCredential(t.Context(), register(t, p))
		tells("register, token live", "user 0, working 450, answer 1200", err)
		_, err = p.Authenticator.GetAssertion(t.Context(), signIn(token(t, p, ctap.PermissionGetAssertion, rpID)))
		tells("sign in, token live", "user 0, working 450, answer 1200", err)
		_, err = p.Authenticator.MakeCredential(t.Context(), registerAtPrompt(t, p))
		tells("register, PIN typed at our prompt", "working 80, user 300, working 1500, answer 1800", err)
		_, err = p.Authenticator.GetAssertion(t.Context(), signInAtPrompt())
		tells("sign in, PIN typed at our prompt", "working 80, user 300, working 1500, answer 1800", err)
	})
}

func registerAtPrompt(t *testing.T, p ctap.Platform) *ctap.MakeCredentialRequest {
	t.Helper()
	req := register(t, p)
	req.PINUVAuthParam, req.Options = nil, &ctap.Options{UV: new(true)}
	return req
}

func signInAtPrompt() *ctap.GetAssertionRequest {
	return &ctap.GetAssertionRequest{RPID: rpID, ClientDataHash: hash("sign in"), Options: &ctap.Options{UV: new(true)}}
}

// A platform that cancels while the TPM works has its answer when the command that
// runs has ended, no later, and the next request is served. No try of the PIN is lost,
// and no passkey is there that nobody was told of.
func TestSlowTPMIsCancelled(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for name, c := range map[string]struct {
		after, answered time.Duration
		request         func(t *testing.T, p ctap.Platform) func(context.Context) error
		want            ctap.Status
	}{
		"the tries are read":               {ms(100), ms(300), cancellableSignIn(nil), ctap.KeepaliveCancel},
		"a session is started":             {ms(310), ms(600), cancellableSignIn(nil), ctap.KeepaliveCancel},
		"the PIN is checked":               {ms(1210), ms(1500), cancellableSignIn(nil), ctap.KeepaliveCancel},
		"a key is loaded":                  {ms(610), ms(900), cancellableSignIn(token), ctap.KeepaliveCancel},
		"yes, and no key yet":              {ms(500), ms(600), cancellableSignIn(token), ctap.KeepaliveCancel},
		"a key is made":                    {ms(610), ms(900), cancellableRegistration(register), ctap.KeepaliveCancel},
		"a key is made, PIN to be typed":   {ms(910), ms(1200), cancellableRegistration(registerAtPrompt), ctap.KeepaliveCancel},
		"a session for a token is started": {ms(50), ms(300), cancellableToken, ctap.KeepaliveCancel},
		"the PIN is about to be changed":   {ms(910), ms(1200), cancellableChange, ctap.KeepaliveCancel},
		"the PIN is changed: too late":     {ms(1510), ms(1800), cancellableChange, ctap.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			onSlowTPM(t, func(t *testing.T, l *listener, p ctap.Platform, s *stack) {
				before, err := s.store.Count()
				check(t, err)
				request := c.request(t, p)
				ctx, cancel := context.WithTimeout(t.Context(), c.after)
				defer cancel()
				began := time.Now()
				wants(t, c.want, request(ctx))
				if took := time.Since(began); took != c.answered {
					t.Errorf("answered after %v, want %v: %s", took, c.answered, l.story())
				}
				after, err := s.store.Count()
				check(t, err)
				if after != before {
					t.Errorf("%d passkeys, were %d", after, before)
				}
				check(t, c.request(t, p)(t.Context()))
				tries, err := s.machine.Retries(t.Context())
				check(t, err)
				if tries != 8 {
					t.Errorf("%d tries left", tries)
				}
			})
		})
	}
}

// cancellableSignIn signs in with the token that get gives, or at our own prompt.
func cancellableSignIn(get func(*testing.T, ctap.Platform, ctap.Permission, string) pinuv.Token) func(*testing.T, ctap.Platform) func(context.Context) error {
	return func(t *testing.T, p ctap.Platform) func(context.Context) error {
		req := signInAtPrompt()
		if get != nil {
			req = signIn(get(t, p, ctap.PermissionGetAssertion, rpID))
		}
		return func(ctx context.Context) error {
			_, err := p.Authenticator.GetAssertion(ctx, req)
			return err
		}
	}
}

func cancellableRegistration(ask func(*testing.T, ctap.Platform) *ctap.MakeCredentialRequest) func(*testing.T, ctap.Platform) func(context.Context) error {
	return func(t *testing.T, p ctap.Platform) func(context.Context) error {
		req := ask(t, p)
		req.User = &ctap.User{ID: []byte("2"), Name: "bob"} // who has none yet
		return func(ctx context.Context) error {
			_, err := p.Authenticator.MakeCredential(ctx, req)
			return err
		}
	}
}

func cancellableToken(_ *testing.T, p ctap.Platform) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := p.TokenWithPIN(ctx, secret.Of([]byte("1234")), ctap.PermissionGetAssertion, rpID)
		return err
	}
}

func cancellableChange(_ *testing.T, p ctap.Platform) func(context.Context) error {
	return func(ctx context.Context) error {
		return p.ChangePIN(ctx, secret.Of([]byte("1234")), secret.Of([]byte("1234")))
	}
}
