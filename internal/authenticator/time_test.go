package authenticator_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"testing/synctest"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
)

const rpID = "example.com"

// forgetful is the store without the notes of use and of the audit trail: their timer would be
// made in virtual time and stopped outside of it.
type forgetful struct{ authenticator.Store }

func (forgetful) Used([]byte, time.Time) {}

func (forgetful) Note(ctap.AuditEntry) {}

// inVirtualTime sets a PIN, registers, and then runs do where time is virtual.
// TPM and store are real and stay outside; only the core's own clock is tried.
func inVirtualTime(t *testing.T, do func(*testing.T, *stack, ctap.Platform)) {
	s := newStack(t)
	synctest.Test(t, func(t *testing.T) {
		var err error
		s.Authenticator, err = authenticator.New(authenticator.Config{
			Keys: s.machine, PIN: s.machine, Store: forgetful{s.store}, User: s.person, Eraser: s,
			BuiltInUV: func() bool { return true }, AAGUID: authenticator.TPMAAGUID(),
		})
		check(t, err)
		p := ctap.Platform{Authenticator: s.Channel(ctap.DoorSocket), Protocol: pinuv.Two}
		check(t, p.SetPIN(t.Context(), secret.Of([]byte("1234"))))
		_, err = p.Authenticator.MakeCredential(t.Context(), register(t, p))
		check(t, err)
		do(t, s, p)
	})
}

func hash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

func token(t *testing.T, p ctap.Platform, permission ctap.Permission, rpID string) pinuv.Token {
	t.Helper()
	token, err := p.TokenWithPIN(t.Context(), secret.Of([]byte("1234")), permission, rpID)
	check(t, err)
	return token
}

func register(t *testing.T, p ctap.Platform) *ctap.MakeCredentialRequest {
	t.Helper()
	param := token(t, p, ctap.PermissionMakeCredential, rpID).Authenticate(hash("register"))
	return &ctap.MakeCredentialRequest{
		ClientDataHash: hash("register"), RP: &ctap.RelyingParty{ID: rpID},
		User:           &ctap.User{ID: []byte("1"), Name: "alice"},
		Parameters:     []ctap.Parameter{{Algorithm: cose.ES256, Type: ctap.PublicKeyType}},
		Options:        &ctap.Options{RK: new(true)},
		PINUVAuthParam: &param, PINUVAuthProtocol: p.Protocol,
	}
}

func signIn(token pinuv.Token) *ctap.GetAssertionRequest {
	param := token.Authenticate(hash("sign in"))
	return &ctap.GetAssertionRequest{
		RPID: rpID, ClientDataHash: hash("sign in"),
		PINUVAuthParam: &param, PINUVAuthProtocol: token.Protocol(),
	}
}

// silently makes a request one that asks nobody.
func silently(req *ctap.GetAssertionRequest) *ctap.GetAssertionRequest {
	req.Options = &ctap.Options{UP: new(false)}
	return req
}

func wants(t *testing.T, status ctap.Status, err error) {
	t.Helper()
	if got := ctap.StatusOf(err); got != status {
		t.Fatalf("got %v (%v), want %v", got, err, status)
	}
}

// A token must be used within 30 s; one that lets a key be used dies with its
// grant after 60 s; one for management lives for 10 minutes.
func TestTokenLifetimes(t *testing.T) {
	for name, c := range map[string]struct {
		permission ctap.Permission
		waits      []time.Duration
		want       ctap.Status
	}{
		"unused 29 s":     {ctap.PermissionGetAssertion, []time.Duration{29 * time.Second}, ctap.StatusOK},
		"unused 31 s":     {ctap.PermissionGetAssertion, []time.Duration{31 * time.Second}, ctap.PINAuthInvalid},
		"manage 9 min":    {ctap.PermissionCredentialManagement, []time.Duration{20 * time.Second, 9 * time.Minute}, ctap.StatusOK},
		"manage 10 min":   {ctap.PermissionCredentialManagement, []time.Duration{20 * time.Second, 10 * time.Minute}, ctap.PINAuthInvalid},
		"manage unused":   {ctap.PermissionCredentialManagement, []time.Duration{31 * time.Second}, ctap.PINAuthInvalid},
		"probed, 59 s":    {ctap.PermissionGetAssertion, []time.Duration{20 * time.Second, 39 * time.Second}, ctap.StatusOK},
		"probed, 61 s":    {ctap.PermissionGetAssertion, []time.Duration{20 * time.Second, 41 * time.Second}, ctap.PINAuthInvalid},
		"used, 100 ms on": {ctap.PermissionGetAssertion, []time.Duration{time.Second, 100 * time.Millisecond}, ctap.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, _ *stack, p ctap.Platform) {
				boundTo := rpID
				if c.permission == ctap.PermissionCredentialManagement {
					boundTo = ""
				}
				held := token(t, p, c.permission, boundTo)
				use := func(last bool) error {
					if c.permission == ctap.PermissionCredentialManagement {
						_, err := ctap.ManageCredentials(t.Context(), p.Authenticator, held, ctap.GetCredsMetadata, nil)
						return err
					}
					req := signIn(held)
					req.Options = &ctap.Options{UP: &last} // a probe keeps the token
					_, err := p.Authenticator.GetAssertion(t.Context(), req)
					return err
				}
				for _, wait := range c.waits[:len(c.waits)-1] {
					time.Sleep(wait)
					check(t, use(false))
				}
				time.Sleep(c.waits[len(c.waits)-1])
				wants(t, c.want, use(true))
			})
		})
	}
}

// A CTAP 2.0 token names no relying party, so the PIN's hash waits for one: for
// 30 s and no longer, even though a probe has kept the token alive.
func TestHeldPINIsForgotten(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *stack, p ctap.Platform) {
		held, err := p.LegacyToken(t.Context(), secret.Of([]byte("1234")))
		check(t, err)
		time.Sleep(20 * time.Second)
		unknown := signIn(held)
		unknown.AllowList = []ctap.Descriptor{{ID: []byte("unknown"), Type: ctap.PublicKeyType}}
		_, err = p.Authenticator.GetAssertion(t.Context(), unknown)
		wants(t, ctap.NoCredentials, err)
		time.Sleep(11 * time.Second)
		_, err = p.Authenticator.GetAssertion(t.Context(), signIn(held))
		wants(t, ctap.PINAuthInvalid, err)
	})
}

// A question that nobody answers ends, for a token no later than its grant does.
func TestQuestionsTimeOut(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *stack, p ctap.Platform) {
		held := token(t, p, ctap.PermissionGetAssertion, rpID)
		s.person.SetTouch(ctaptest.Hold)
		began := time.Now()
		_, err := p.Authenticator.GetAssertion(t.Context(), signIn(held))
		wants(t, ctap.UserActionTimeout, err)
		if waited := time.Since(began); waited != time.Minute {
			t.Errorf("with a token the question stayed open for %v", waited)
		}
		began = time.Now()
		wants(t, ctap.UserActionTimeout, p.Authenticator.Selection(t.Context()))
		if waited := time.Since(began); waited != 2*time.Minute {
			t.Errorf("the question stayed open for %v", waited)
		}
	})
}

// getNextAssertion waits 30 s for its turn.
func TestNextAssertionTimesOut(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, _ *stack, p ctap.Platform) {
		second := register(t, p)
		second.User = &ctap.User{ID: []byte("2"), Name: "bob"}
		_, err := p.Authenticator.MakeCredential(t.Context(), second)
		check(t, err)
		for wait, want := range map[time.Duration]ctap.Status{
			29 * time.Second: ctap.StatusOK, 31 * time.Second: ctap.NotAllowed,
		} {
			_, err := p.Authenticator.GetAssertion(t.Context(), silently(signIn(token(t, p, ctap.PermissionGetAssertion, rpID))))
			check(t, err)
			time.Sleep(wait)
			_, err = p.Authenticator.GetNextAssertion(t.Context())
			wants(t, want, err)
		}
	})
}

// A reset over HID is taken within 10 s of power-up only.
func TestResetWindow(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *stack, _ ctap.Platform) {
		hid := s.Channel(ctap.DoorHID)
		time.Sleep(11 * time.Second)
		wants(t, ctap.NotAllowed, hid.Reset(t.Context()))
		check(t, s.PowerCycle())
		time.Sleep(9 * time.Second)
		check(t, hid.Reset(t.Context()))
	})
}

// liar says yes without having the PIN checked.
type liar struct{}

func (liar) Approve(context.Context, authenticator.Ask) (authenticator.Approval, error) {
	return authenticator.Approval{}, nil
}

// A prompt cannot claim a verification that the hardware has not made.
func TestPromptCannotVouch(t *testing.T) {
	for _, always := range []bool{true, false} {
		s := newStack(t, func(c *authenticator.Config) { c.User = liar{} })
		settings := authenticator.DefaultSettings()
		settings.AlwaysUV = always
		check(t, s.store.PutSettings(settings))
		p := ctap.Platform{Authenticator: s.Channel(ctap.DoorSocket), Protocol: pinuv.Two}
		check(t, p.SetPIN(t.Context(), secret.Of([]byte("1234"))))
		_, err := p.Authenticator.MakeCredential(t.Context(), register(t, p))
		check(t, err)
		_, err = p.TokenWithUV(t.Context(), ctap.PermissionGetAssertion, rpID)
		wants(t, ctap.OperationDenied, err)
		_, err = p.Authenticator.GetAssertion(t.Context(), &ctap.GetAssertionRequest{
			RPID: rpID, ClientDataHash: hash("sign in"), Options: &ctap.Options{UV: new(true)},
		})
		wants(t, ctap.OperationDenied, err)
	}
}

// A power cycle closes the question that is open, and the next request works.
func TestPowerCycleClosesTheQuestion(t *testing.T) {
	s := newStack(t)
	s.person.SetTouch(ctaptest.Hold)
	channel := s.Channel(ctap.DoorHID)
	done := make(chan error)
	go func() { done <- channel.Selection(t.Context()) }()
	<-s.person.Opened()
	check(t, s.PowerCycle())
	wants(t, ctap.KeepaliveCancel, <-done)
	s.person.SetTouch(ctaptest.Auto)
	check(t, channel.Selection(t.Context()))
}
