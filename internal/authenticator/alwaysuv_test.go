package authenticator_test

import (
	"bytes"
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// plain is a request to register without verification.
func plain(account string) *ctap.MakeCredentialRequest {
	return &ctap.MakeCredentialRequest{
		ClientDataHash: hash("register"), RP: &ctap.RelyingParty{ID: rpID},
		User:       &ctap.User{ID: []byte(account), Name: account},
		Parameters: []ctap.Parameter{{Algorithm: cose.ES256, Type: ctap.PublicKeyType}},
		Options:    &ctap.Options{RK: new(true)},
		Extensions: ctap.Extensions{"hmac-secret": cbor.Raw{0xF5}},
	}
}

func (s *stack) alwaysUV(t *testing.T, on bool) {
	t.Helper()
	settings, err := s.store.Settings()
	check(t, err)
	settings.AlwaysUV = on
	check(t, s.store.PutSettings(settings))
}

func signInFlags(t *testing.T, p ctap.Platform, req *ctap.GetAssertionRequest) webauthn.Flags {
	t.Helper()
	response, err := p.Authenticator.GetAssertion(t.Context(), req)
	check(t, err)
	data, err := webauthn.ParseAuthenticatorData(response.AuthData)
	check(t, err)
	return data.Flags
}

// Without alwaysUv and without a PIN, presence is enough, and the keys are made
// so that they work without the PIN for good.
func TestPresenceOnly(t *testing.T) {
	s := newStack(t)
	s.alwaysUV(t, false)
	p := ctap.Platform{Authenticator: s.Channel(ctap.DoorHID), Protocol: pinuv.Two}
	_, err := p.Authenticator.MakeCredential(t.Context(), plain("alice"))
	check(t, err)
	signIn := &ctap.GetAssertionRequest{RPID: rpID, ClientDataHash: hash("sign in")}
	if flags := signInFlags(t, p, signIn); flags != webauthn.FlagUP {
		t.Errorf("flags %08b", flags)
	}
	response, err := p.Authenticator.GetAssertion(t.Context(), signIn)
	check(t, err)
	if response.User == nil || response.User.Name != "" || response.User.DisplayName != "" {
		t.Errorf("without verification the answer names %+v", response.User)
	}
	signIn.Options = &ctap.Options{UP: new(false)}
	if flags := signInFlags(t, p, signIn); flags != 0 {
		t.Errorf("a probe's flags %08b", flags)
	}
	for c, err := range s.store.Each() {
		check(t, err)
		if c.Key.Binding != authenticator.PresenceOnly || len(c.MACWithUV) == 0 || len(c.MACWithoutUV) == 0 {
			t.Errorf("binding %d, MAC keys %d and %d bytes", c.Key.Binding, len(c.MACWithUV), len(c.MACWithoutUV))
		}
	}
	// makeCredUvNotRqd is false: once there is a PIN, registering needs it.
	check(t, p.SetPIN(t.Context(), secret.Of([]byte("1234"))))
	_, err = p.Authenticator.MakeCredential(t.Context(), register(t, p))
	check(t, err)
	s.person.SetPINs()
	_, err = p.Authenticator.MakeCredential(t.Context(), plain("bob"))
	wants(t, ctap.OperationDenied, err)
}

// A key bound to the PIN keeps demanding it when alwaysUv is switched off: from
// our own prompt where there is one, else from the platform.
func TestPINBoundKeysStayBound(t *testing.T) {
	canAsk := true
	s := newStack(t, func(c *authenticator.Config) { c.BuiltInUV = func() bool { return canAsk } })
	s.person.SetPINs("1234")
	p := ctap.Platform{Authenticator: s.Channel(ctap.DoorHID), Protocol: pinuv.Two}
	check(t, p.SetPIN(t.Context(), secret.Of([]byte("1234"))))
	_, err := p.Authenticator.MakeCredential(t.Context(), plain("alice"))
	check(t, err)
	s.alwaysUV(t, false)
	signIn := &ctap.GetAssertionRequest{RPID: rpID, ClientDataHash: hash("sign in")}
	if flags := signInFlags(t, p, signIn); flags != webauthn.FlagUP|webauthn.FlagUV {
		t.Errorf("flags %08b", flags)
	}
	canAsk = false
	_, err = p.Authenticator.GetAssertion(t.Context(), signIn)
	wants(t, ctap.PUATRequired, err)
}

// Which of the two keys answers hmac-secret depends on the UV flag alone, and
// switching alwaysUv changes no output.
func TestHMACSecretFollowsUV(t *testing.T) {
	s := newStack(t)
	s.alwaysUV(t, false)
	s.person.SetPINs("1234")
	p := ctap.Platform{Authenticator: s.Channel(ctap.DoorHID), Protocol: pinuv.Two}
	_, err := p.Authenticator.MakeCredential(t.Context(), plain("alice"))
	check(t, err)
	without := hmacSecret(t, p, nil)
	check(t, p.SetPIN(t.Context(), secret.Of([]byte("1234"))))
	if again := hmacSecret(t, p, nil); !bytes.Equal(without, again) {
		t.Error("setting a PIN changed the output without verification")
	}
	with := hmacSecret(t, p, &ctap.Options{UV: new(true)})
	if bytes.Equal(with, without) {
		t.Error("the output does not depend on verification")
	}
	s.alwaysUV(t, true)
	if again := hmacSecret(t, p, nil); !bytes.Equal(with, again) {
		t.Error("alwaysUv changed the output with verification")
	}
}

func hmacSecret(t *testing.T, p ctap.Platform, options *ctap.Options) []byte {
	t.Helper()
	return hmacSecretWith(t, p, &ctap.GetAssertionRequest{RPID: rpID, ClientDataHash: hash("sign in"), Options: options})
}

// hmacSecretWith adds a salt to req and decrypts the output.
func hmacSecretWith(t *testing.T, p ctap.Platform, req *ctap.GetAssertionRequest) []byte {
	t.Helper()
	shared, agreement, err := p.Agree(t.Context())
	check(t, err)
	enc, err := shared.Encrypt(hash("salt"))
	check(t, err)
	input, err := cbor.Marshal(map[int]any{
		1: agreement.KeyAgreement, 2: enc, 3: shared.Authenticate(enc), 4: uint(p.Protocol),
	})
	check(t, err)
	req.Extensions = ctap.Extensions{"hmac-secret": input}
	response, err := p.Authenticator.GetAssertion(t.Context(), req)
	check(t, err)
	data, err := webauthn.ParseAuthenticatorData(response.AuthData)
	check(t, err)
	var outputs struct {
		Secret []byte `cbor:"hmac-secret"`
	}
	check(t, cbor.Unmarshal(data.Extensions, &outputs))
	plain, err := shared.Decrypt(outputs.Secret)
	check(t, err)
	return plain.Reveal()
}
