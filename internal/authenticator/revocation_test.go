package authenticator_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// withAccounts has a PIN and passkeys of those accounts.
func withAccounts(t *testing.T, accounts ...string) (*stack, ctap.Platform) {
	t.Helper()
	s := newStack(t)
	s.person.SetPINs("1234")
	p := ctap.Platform{Authenticator: s.Channel(ctap.DoorHID), Protocol: pinuv.Two}
	check(t, p.SetPIN(t.Context(), secret.Of([]byte("1234"))))
	for _, account := range accounts {
		_, err := p.Authenticator.MakeCredential(t.Context(), plain(account))
		check(t, err)
	}
	return s, p
}

// What a command left for its "next" ends with what permitted it, also when that
// ends on another channel.
func TestNextEndsWithItsPermission(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *stack, other ctap.Platform){
		"power cycle": func(t *testing.T, s *stack, _ ctap.Platform) { check(t, s.PowerCycle()) },
		"PIN change": func(t *testing.T, _ *stack, other ctap.Platform) {
			check(t, other.ChangePIN(t.Context(), secret.Of([]byte("1234")), secret.Of([]byte("5678"))))
		},
		"another token": func(t *testing.T, _ *stack, other ctap.Platform) {
			token(t, other, ctap.PermissionCredentialManagement, "")
		},
		"reset": func(t *testing.T, _ *stack, other ctap.Platform) { check(t, other.Authenticator.Reset(t.Context())) },
	} {
		t.Run(name, func(t *testing.T) {
			s, p := withAccounts(t, "alice", "bob", "carol")
			other := ctap.Platform{Authenticator: s.Channel(ctap.DoorHID), Protocol: pinuv.Two}
			_, err := p.Authenticator.GetAssertion(t.Context(), silently(signIn(token(t, p, ctap.PermissionGetAssertion, rpID))))
			check(t, err)
			_, err = p.Authenticator.GetNextAssertion(t.Context())
			check(t, err)
			end(t, s, other)
			_, err = p.Authenticator.GetNextAssertion(t.Context())
			wants(t, ctap.NotAllowed, err)
		})
		t.Run(name+", enumeration", func(t *testing.T) {
			s, p := withAccounts(t, "alice", "bob", "carol")
			other := ctap.Platform{Authenticator: s.Channel(ctap.DoorHID), Protocol: pinuv.Two}
			hash := webauthn.RPIDHash(rpID)
			_, err := ctap.ManageCredentials(t.Context(), p.Authenticator, token(t, p, ctap.PermissionCredentialManagement, ""),
				ctap.EnumerateCredentialsBegin, &ctap.CredentialManagementParams{RPIDHash: hash[:]})
			check(t, err)
			end(t, s, other)
			_, err = p.Authenticator.CredentialManagement(t.Context(), &ctap.CredentialManagementRequest{
				Subcommand: ctap.EnumerateCredentialsGetNextCredential,
			})
			wants(t, ctap.NotAllowed, err)
		})
	}
}

// A reset that waits for its turn and a power cycle do not wait for each other.
func TestPowerCycleUnderQueuedRequests(t *testing.T) {
	s := newStack(t)
	for range 100 {
		s.person.SetTouch(ctaptest.Hold)
		holding, queued := make(chan error, 1), make(chan error, 1)
		go func() { holding <- s.Channel(ctap.DoorHID).Selection(t.Context()) }()
		<-s.person.Opened()
		go func() { queued <- s.Channel(ctap.DoorHID).Reset(t.Context()) }()
		s.person.SetTouch(ctaptest.Auto)
		check(t, s.PowerCycle())
		wants(t, ctap.KeepaliveCancel, <-holding)
		if err := <-queued; err != nil {
			wants(t, ctap.KeepaliveCancel, err)
		}
		for len(s.person.Opened()) > 0 {
			<-s.person.Opened()
		}
	}
}

// getInfo answers while a question is open on another channel.
func TestInfoWaitsForNobody(t *testing.T) {
	s := newStack(t)
	s.person.SetTouch(ctaptest.Hold)
	done := make(chan error, 1)
	go func() { done <- s.Channel(ctap.DoorHID).Selection(t.Context()) }()
	<-s.person.Opened()
	_, err := s.Channel(ctap.DoorHID).GetInfo(t.Context())
	check(t, err)
	check(t, s.PowerCycle())
	wants(t, ctap.KeepaliveCancel, <-done)
}

// The hash of a PIN that waits for its relying party is gone after 30 s, also
// while a question has been open all that time.
func TestHeldPINDoesNotOutliveAQuestion(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, s *stack, p ctap.Platform) {
		held, err := p.LegacyToken(t.Context(), secret.Of([]byte("1234")))
		check(t, err)
		unknown := signIn(held)
		unknown.AllowList = []ctap.Descriptor{{ID: []byte("unknown"), Type: ctap.PublicKeyType}}
		_, err = p.Authenticator.GetAssertion(t.Context(), unknown) // binds and keeps it alive
		wants(t, ctap.NoCredentials, err)
		s.person.SetTouch(ctaptest.Hold)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
		defer cancel()
		wants(t, ctap.UserActionTimeout, s.Channel(ctap.DoorSocket).Selection(ctx))
		s.person.SetTouch(ctaptest.Auto)
		_, err = p.Authenticator.GetAssertion(t.Context(), signIn(held))
		wants(t, ctap.PINAuthInvalid, err)
	})
}

// lossy is a PIN whose change succeeds and whose answer is lost.
type lossy struct{ authenticator.PIN }

func (l lossy) Change(ctx context.Context, from, to secret.Bytes) error {
	err := l.PIN.Change(ctx, from, to)
	if from.IsZero() || err != nil {
		return err
	}
	return errors.New("the answer is lost")
}

// A token does not survive a PIN change whose answer was lost.
func TestLostChangeEndsTheToken(t *testing.T) {
	s := newStack(t, func(c *authenticator.Config) { c.PIN = lossy{c.PIN} })
	p := ctap.Platform{Authenticator: s.Channel(ctap.DoorHID), Protocol: pinuv.Two}
	check(t, p.SetPIN(t.Context(), secret.Of([]byte("1234"))))
	_, err := p.Authenticator.MakeCredential(t.Context(), register(t, p))
	check(t, err)
	held := token(t, p, ctap.PermissionGetAssertion, rpID)
	wants(t, ctap.Other, p.ChangePIN(t.Context(), secret.Of([]byte("1234")), secret.Of([]byte("5678"))))
	_, err = p.Authenticator.GetAssertion(t.Context(), signIn(held))
	wants(t, ctap.PINAuthInvalid, err)
}

// Whether a credential that credProtect hides is here, a site does not learn from
// how a person's no is answered.
func TestHiddenCredentialsStayHidden(t *testing.T) {
	s, p := withAccounts(t)
	hidden := plain("alice")
	hidden.Extensions = ctap.Extensions{"credProtect": cbor.Raw{3}}
	_, err := p.Authenticator.MakeCredential(t.Context(), hidden)
	check(t, err)
	var id []byte
	for c, err := range s.store.Each() {
		check(t, err)
		id = c.ID
	}
	s.person.SetTouch(ctaptest.Deny)
	for name, excluded := range map[string][]byte{"here": id, "nowhere": []byte("nobody's")} {
		again := plain("bob")
		again.ExcludeList = []ctap.Descriptor{{ID: excluded, Type: ctap.PublicKeyType}}
		_, err := p.Authenticator.MakeCredential(t.Context(), again)
		if ctap.StatusOf(err) != ctap.OperationDenied {
			t.Errorf("a no about a credential that is %s: %v", name, err)
		}
	}
	s.person.SetTouch(ctaptest.Auto)
	again := plain("bob")
	again.ExcludeList = []ctap.Descriptor{{ID: id, Type: ctap.PublicKeyType}}
	_, err = p.Authenticator.MakeCredential(t.Context(), again)
	wants(t, ctap.CredentialExcluded, err)
}

// A CTAP 2.0 token serves presence-only keys too, with hmac-secret.
func TestLegacyTokenWithPresenceOnlyKeys(t *testing.T) {
	s := newStack(t)
	s.alwaysUV(t, false)
	p := ctap.Platform{Authenticator: s.Channel(ctap.DoorHID), Protocol: pinuv.Two}
	_, err := p.Authenticator.MakeCredential(t.Context(), plain("alice"))
	check(t, err)
	check(t, p.SetPIN(t.Context(), secret.Of([]byte("1234"))))
	s.person.SetPINs("1234")
	want := hmacSecret(t, p, &ctap.Options{UV: new(true)})
	held, err := p.LegacyToken(t.Context(), secret.Of([]byte("1234")))
	check(t, err)
	if got := hmacSecretWith(t, p, signIn(held)); string(got) != string(want) {
		t.Error("the output depends on how the token was got")
	}
}

// credProtect 3 without any PIN: such a key cannot sign yet, its own attestation
// neither, and once there is a PIN it works with it alone.
func TestProtectedBeforeThereIsAPIN(t *testing.T) {
	s := newStack(t)
	s.alwaysUV(t, false)
	p := ctap.Platform{Authenticator: s.Channel(ctap.DoorHID), Protocol: pinuv.Two}
	req := plain("alice")
	req.Extensions = ctap.Extensions{"credProtect": cbor.Raw{3}}
	response, err := p.Authenticator.MakeCredential(t.Context(), req)
	check(t, err)
	if response.Format != "none" {
		t.Errorf("attestation %q", response.Format)
	}
	_, err = p.Authenticator.GetAssertion(t.Context(), &ctap.GetAssertionRequest{RPID: rpID, ClientDataHash: hash("sign in")})
	wants(t, ctap.NoCredentials, err)
	check(t, p.SetPIN(t.Context(), secret.Of([]byte("1234"))))
	flags := signInFlags(t, p, signIn(token(t, p, ctap.PermissionGetAssertion, rpID)))
	if flags != webauthn.FlagUP|webauthn.FlagUV {
		t.Errorf("flags %08b", flags)
	}
}

// A key agreement key off the curve is refused, and named for what it is.
func TestPeerKeyOffTheCurve(t *testing.T) {
	s := newStack(t)
	request, err := cbor.Marshal(map[int]any{
		1: 2, 2: 5, 6: make([]byte, 32),
		3: map[int]any{1: 2, 3: -25, -1: 1, -2: make([]byte, 32), -3: make([]byte, 32)},
	})
	check(t, err)
	response := ctap.Serve(t.Context(), s.Channel(ctap.DoorHID), append([]byte{byte(ctap.CommandClientPIN)}, request...))
	if len(response) != 1 || ctap.Status(response[0]) != ctap.InvalidParameter {
		t.Errorf("answer %x", response)
	}
}

// A token does not survive a reset, and neither does presence outlive its 30 s.
func TestTokensEnd(t *testing.T) {
	s, p := withAccounts(t, "alice")
	held := token(t, p, ctap.PermissionGetAssertion, rpID)
	check(t, p.Authenticator.Reset(t.Context()))
	_, err := p.Authenticator.GetAssertion(t.Context(), signIn(held))
	wants(t, ctap.PINAuthInvalid, err)
	check(t, p.SetPIN(t.Context(), secret.Of([]byte("1234"))))
	_, err = p.Authenticator.MakeCredential(t.Context(), register(t, p))
	check(t, err)
	_, err = p.Authenticator.GetAssertion(t.Context(), signIn(held))
	wants(t, ctap.PINAuthInvalid, err)
	s.person.Asked()
}

func TestPresenceOfATokenIsShort(t *testing.T) {
	for wait, questions := range map[time.Duration]int{29 * time.Second: 0, 31 * time.Second: 1} {
		inVirtualTime(t, func(t *testing.T, s *stack, p ctap.Platform) {
			s.person.SetPINs("1234")
			held, err := p.TokenWithUV(t.Context(), ctap.PermissionGetAssertion, rpID)
			check(t, err)
			_, err = p.Authenticator.GetAssertion(t.Context(), silently(signIn(held))) // keeps the token alive
			check(t, err)
			s.person.Asked()
			time.Sleep(wait)
			_, err = p.Authenticator.GetAssertion(t.Context(), signIn(held))
			check(t, err)
			if asked := len(s.person.Asked()); asked != questions {
				t.Errorf("after %v: asked %d times, want %d", wait, asked, questions)
			}
		})
	}
}

// A PIN that must be changed opens nothing but its change, and not to itself.
func TestForcedPINChange(t *testing.T) {
	s, p := withAccounts(t)
	settings, err := s.store.Settings()
	check(t, err)
	settings.ForcePINChange = true
	check(t, s.store.PutSettings(settings))
	old := func() secret.Bytes { return secret.Of([]byte("1234")) }
	_, err = p.TokenWithPIN(t.Context(), old(), ctap.PermissionGetAssertion, rpID)
	wants(t, ctap.PINPolicyViolation, err)
	_, err = p.LegacyToken(t.Context(), old())
	wants(t, ctap.PINInvalid, err)
	wants(t, ctap.PINPolicyViolation, p.ChangePIN(t.Context(), old(), old()))
	check(t, p.ChangePIN(t.Context(), old(), secret.Of([]byte("5678"))))
	_, err = p.TokenWithPIN(t.Context(), secret.Of([]byte("5678")), ctap.PermissionGetAssertion, rpID)
	check(t, err)
}
