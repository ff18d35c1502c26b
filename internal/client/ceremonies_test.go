package client_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/client"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// TestCeremonies registers and signs in at a relying party that was not written here.
func TestCeremonies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	alice, bob := &account{name: "alice"}, &account{name: "bob"}
	made, credential := r.register(alice, map[string]any{"extensions": map[string]any{"credProps": true}})
	if f := credential.Flags; !f.UserPresent || !f.UserVerified || f.BackupEligible || f.BackupState {
		t.Errorf("flags %+v", f)
	}
	if ours := authenticator.TPMAAGUID(); !bytes.Equal(credential.Authenticator.AAGUID, ours[:]) || credential.AttestationFormat != "none" {
		t.Errorf("AAGUID %x under attestation %q", credential.Authenticator.AAGUID, credential.AttestationFormat)
	}
	if made.Extensions.CredProps == nil || !made.Extensions.CredProps.RK || !slices.Equal(made.Response.Transports, []string{"internal", "usb"}) {
		t.Errorf("%+v", made)
	}
	ask := r.person.Asked()
	if len(ask) != 1 || ask[0].RP.ID != rpID || ask[0].Accounts[0].Name != "alice" || ask[0].Caller.Page != origin || ask[0].Caller.Top != "" {
		t.Errorf("the person was asked %+v", ask)
	}

	_, direct := r.register(bob, map[string]any{"attestation": "direct"})
	if direct.AttestationFormat != "packed" || direct.AttestationType != "basic_surrogate" && direct.AttestationType != "self" {
		t.Errorf("direct: %q, %q", direct.AttestationFormat, direct.AttestationType)
	}
	r.signIn(alice, true, nil)
	if _, again := r.signIn(alice, true, nil); again.Authenticator.SignCount < 2 || again.Authenticator.CloneWarning {
		t.Errorf("counter %d", again.Authenticator.SignCount)
	}
	r.person.Choose(1) // the second newest
	r.person.Asked()
	got, _ := r.signIn(alice, false, nil)
	if ask := r.person.Asked(); len(ask) != 1 || len(ask[0].Accounts) != 2 || len(got.Response.UserHandle) == 0 {
		t.Errorf("whoever comes: asked %+v", ask)
	}
	if r.asking != 5 {
		t.Errorf("%d ceremonies said that the person is asked", r.asking)
	}
}

// TestExcluded: the person is asked before a page learns that the account has a passkey here.
func TestExcluded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	made, _ := r.register(&account{name: "alice"}, nil)
	r.person.Asked()
	exclude := []any{map[string]any{"type": "public-key", "id": text(made.ID)}}
	_, err := r.create(page(), creation(func(o map[string]any) { o["excludeCredentials"] = exclude }))
	wantException(t, err, "InvalidStateError")
	if ask := r.person.Asked(); len(ask) != 1 || ask[0].Operation != authenticator.OperationExists {
		t.Errorf("asked %+v", ask)
	}
}

// TestPRF: outputs are the same each time, others for another passkey, and what
// evalByCredential says goes before eval.
func TestPRF(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	alice, bob := &account{name: "alice"}, &account{name: "bob"}
	input := func(eval map[string]any) map[string]any {
		return map[string]any{"extensions": map[string]any{"prf": eval}}
	}
	one := map[string]any{"first": "AQ"}
	two := map[string]any{"first": "AQ", "second": "Ag"}
	made, _ := r.register(alice, input(map[string]any{"eval": two}))
	if p := made.Extensions.PRF; p == nil || p.Enabled == nil || !*p.Enabled || p.Results == nil || p.Results.Second == nil {
		t.Fatalf("at registration: %+v", p)
	}
	other, _ := r.register(bob, input(map[string]any{}))
	if p := other.Extensions.PRF; p == nil || p.Results != nil || !*p.Enabled {
		t.Errorf("without eval: %+v", p)
	}
	outputs := func(a *account, eval map[string]any) (first, second []byte) {
		got, _ := r.signIn(a, true, input(eval))
		if got.Extensions.PRF == nil || got.Extensions.PRF.Results == nil || got.Extensions.PRF.Enabled != nil {
			t.Fatalf("%+v", got.Extensions.PRF)
		}
		if s := got.Extensions.PRF.Results.Second; s != nil {
			second = *s
		}
		return got.Extensions.PRF.Results.First, second
	}
	first, second := outputs(alice, map[string]any{"eval": two})
	if !bytes.Equal(first, made.Extensions.PRF.Results.First) || !bytes.Equal(second, *made.Extensions.PRF.Results.Second) || len(first) != 32 || bytes.Equal(first, second) {
		t.Error("registration and sign-in differ")
	}
	if again, none := outputs(alice, map[string]any{"eval": one}); !bytes.Equal(again, first) || none != nil {
		t.Error("the next sign-in differs")
	}
	if others, _ := outputs(bob, map[string]any{"eval": one}); bytes.Equal(others, first) {
		t.Error("two passkeys have the same output")
	}
	byCredential := map[string]any{text(made.ID): map[string]any{"first": "Ag"}}
	if chosen, _ := outputs(alice, map[string]any{"eval": one, "evalByCredential": byCredential}); !bytes.Equal(chosen, second) {
		t.Error("evalByCredential has no say")
	}
}

// TestProtection: what credProtect hides is found by a page all the same, because the
// person is always verified first.
func TestProtection(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	alice := &account{name: "alice"}
	r.register(alice, map[string]any{"extensions": map[string]any{
		"credentialProtectionPolicy": "userVerificationRequired", "enforceCredentialProtectionPolicy": true,
	}})
	listed, err := ctap.ReadPasskeys(r.ctx, r.client.Authenticator)
	r.ok(err)
	if listed[0].CredProtect != 3 {
		t.Errorf("credProtect %d", listed[0].CredProtect)
	}
	r.signIn(alice, true, nil)
	r.signIn(alice, false, nil)
}

// TestFrames: a frame of another origin needs a gesture to register, the person sees both
// origins, and the relying party is told.
func TestFrames(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	frame := client.Page{Origin: origin, CrossOrigin: true, TopOrigin: "https://shop.example"}
	_, err := r.create(frame, creation(func(map[string]any) {}))
	wantException(t, err, "NotAllowedError")
	if asked := r.person.Asked(); len(asked) != 0 {
		t.Errorf("asked %+v", asked)
	}
	frame.Activated = true
	made, err := r.create(frame, creation(func(map[string]any) {}))
	r.ok(err)
	data, err := webauthn.ParseClientData(made.Response.ClientData)
	r.ok(err)
	if !data.CrossOrigin || data.TopOrigin != "https://shop.example" || data.Origin != origin {
		t.Errorf("%+v", data)
	}
	if ask := r.person.Asked(); len(ask) != 1 || ask[0].Caller.Page != origin || ask[0].Caller.Top != "https://shop.example" {
		t.Errorf("asked %+v", ask)
	}
	_, err = r.create(page(), creation(func(map[string]any) {}))
	r.ok(err)
	if ask := r.person.Asked(); len(ask) != 1 || ask[0].Caller.Top != "" {
		t.Error("the page around is told of in the next request")
	}
}

// TestSignals: what a page says of its own passkeys is done, and of others' it cannot say
// anything.
func TestSignals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	alice := &account{name: "alice"}
	made, _ := r.register(alice, nil)
	signal := func(from string, kind ctap.Signal, words string) error {
		var o client.SignalOptions
		r.ok(client.Decode([]byte(words), &o))
		return r.client.Signal(r.ctx, client.Page{Origin: from}, kind, &o)
	}
	unknown := `{"rpId":"example.com","credentialId":"` + text(made.ID) + `"}`
	if err := signal("https://example.org", ctap.SignalUnknownCredential, unknown); !isBrowsers(err) {
		t.Errorf("a stranger: %v", err)
	}
	r.ok(signal(origin, ctap.SignalUnknownCredential, unknown))
	if _, err := r.get(page(), map[string]any{"rpId": rpID}); !isBrowsers(err) {
		t.Errorf("a hidden passkey is offered: %v", err)
	}
	r.signIn(alice, true, nil) // named, it is still good
	r.ok(signal(origin, ctap.SignalAllAcceptedCredentials, `{"rpId":"example.com","userId":"`+text(alice.WebAuthnID())+`","allAcceptedCredentialIds":["`+text(made.ID)+`"]}`))
	r.signIn(alice, false, nil)
	r.ok(signal(origin, ctap.SignalCurrentUserDetails, `{"rpId":"example.com","userId":"`+text(alice.WebAuthnID())+`","name":"alicia","displayName":"Alicia"}`))
	listed, err := ctap.ReadPasskeys(r.ctx, r.client.Authenticator)
	r.ok(err)
	if listed[0].User.Name != "alicia" {
		t.Errorf("called %q", listed[0].User.Name)
	}
	wantException(t, signal(origin, ctap.SignalCurrentUserDetails, `{"rpId":"example.com"}`), "TypeError")
}

// TestCount counts what a page could use, on its own host and above.
func TestCount(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register(&account{name: "alice"}, nil)
	for from, want := range map[string]uint{origin: 1, "https://example.com": 1, "https://example.org": 0, "null": 0, "https://com": 0} {
		if got, err := r.client.Count(r.ctx, from); err != nil || got != want {
			t.Errorf("%s: %d, %v", from, got, err)
		}
	}
}

// TestRefusedByPerson: who refuses at our prompt means another device, and a page learns
// nothing else.
func TestRefusedByPerson(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	made, _ := r.register(&account{name: "alice"}, nil)
	r.person.SetTouch(ctaptest.Deny)
	if _, err := r.create(page(), creation(func(map[string]any) {})); !isBrowsers(err) {
		t.Errorf("create: %v", err)
	}
	if _, err := r.get(page(), map[string]any{"rpId": rpID, "allowCredentials": []any{map[string]any{"type": "public-key", "id": text(made.ID)}}}); !isBrowsers(err) {
		t.Errorf("get: %v", err)
	}
	r.person.SetTouch(ctaptest.Auto)
	r.person.SetPINs("wrong wrong", "wrong wrong", "wrong wrong")
	if _, err := r.get(page(), map[string]any{"rpId": rpID}); !isBrowsers(err) {
		t.Errorf("three wrong PINs: %v", err)
	}
	// Until the next power cycle the browser has its turn, unasked.
	r.person.Asked()
	if _, err := r.get(page(), map[string]any{"rpId": rpID}); !isBrowsers(err) || len(r.person.Asked()) != 0 {
		t.Errorf("without tries: %v", err)
	}
}

// TestJSON holds the form of what the page gets.
func TestJSON(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	alice := &account{name: "alice"}
	made, _ := r.register(alice, nil)
	got, _ := r.signIn(alice, true, nil)
	for _, c := range []struct {
		credential *client.Credential
		members    []string
	}{
		{made, []string{"attestationObject", "authenticatorData", "clientDataJSON", "publicKey", "publicKeyAlgorithm", "transports"}},
		{got, []string{"authenticatorData", "clientDataJSON", "signature", "userHandle"}},
	} {
		var all struct {
			Response               map[string]any
			ClientExtensionResults map[string]any
		}
		r.ok(json.Unmarshal(encode(t, c.credential), &all))
		var names []string
		for name := range all.Response {
			names = append(names, name)
		}
		if slices.Sort(names); !slices.Equal(names, c.members) || all.ClientExtensionResults == nil {
			t.Errorf("%q, %v", names, all.ClientExtensionResults)
		}
	}
}
