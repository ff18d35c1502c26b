package provider_test

import (
	"crypto/sha256"
	"encoding/json"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"
	relyingparty "github.com/go-webauthn/webauthn/webauthn"

	"github.com/localpasskey/localpasskey/internal/provider"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// visitor is an account at the relying party.
type visitor struct{ credentials []relyingparty.Credential }

func (v *visitor) WebAuthnID() []byte                             { return []byte("handle of octocat") }
func (v *visitor) WebAuthnName() string                           { return "octocat" }
func (v *visitor) WebAuthnDisplayName() string                    { return "octocat" }
func (v *visitor) WebAuthnCredentials() []relyingparty.Credential { return v.credentials }

// clientData is what a browser makes of a challenge.
func clientData(ceremony, challenge string) []byte {
	return webauthn.ClientData{Type: ceremony, Challenge: challenge, Origin: "https://example.com"}.JSON()
}

// response is what a browser sends to the site.
func response(t *testing.T, id []byte, parts map[string][]byte) []byte {
	t.Helper()
	encoded := map[string]any{}
	for name, content := range parts {
		encoded[name] = protocol.URLEncodedBase64(content)
	}
	body, err := json.Marshal(map[string]any{
		"id": protocol.URLEncodedBase64(id), "rawId": protocol.URLEncodedBase64(id), "type": "public-key", "response": encoded,
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestRelyingParty: a relying party that nobody here wrote takes both answers, with
// user verification required, and sees what macOS wants it to see.
func TestRelyingParty(t *testing.T) {
	t.Parallel()
	party, err := relyingparty.New(&relyingparty.Config{RPID: "example.com", RPDisplayName: "Example", RPOrigins: []string{"https://example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	w, v := newWorld(t), &visitor{}
	options, session, err := party.BeginRegistration(v, relyingparty.WithAuthenticatorSelection(protocol.AuthenticatorSelection{UserVerification: protocol.VerificationRequired}))
	if err != nil {
		t.Fatal(err)
	}
	req := registration("octocat")
	req.Algorithms = nil
	for _, p := range options.Response.Parameters {
		req.Algorithms = append(req.Algorithms, int64(p.Algorithm))
	}
	data := clientData("webauthn.create", session.Challenge)
	hashed := sha256.Sum256(data)
	req.ClientDataHash = hashed[:]
	r := w.register(req)
	if r == nil {
		t.Fatalf("not registered: %v", w.cancelled)
	}
	created, err := protocol.ParseCredentialCreationResponseBytes(response(t, r.ID, map[string][]byte{"clientDataJSON": data, "attestationObject": r.AttestationObject}))
	if err != nil {
		t.Fatal(err)
	}
	credential, err := party.CreateCredential(v, *session, created)
	if err != nil {
		t.Fatal(err)
	}
	if f := credential.Flags; !f.UserPresent || !f.UserVerified || !f.BackupEligible || !f.BackupState || credential.AttestationType != "none" {
		t.Errorf("%+v, attestation %q", f, credential.AttestationType)
	}
	for want := uint32(1); want <= 2; want++ {
		v.credentials = []relyingparty.Credential{*credential}
		_, session, err := party.BeginLogin(v, relyingparty.WithUserVerification(protocol.VerificationRequired))
		if err != nil {
			t.Fatal(err)
		}
		data := clientData("webauthn.get", session.Challenge)
		hashed := sha256.Sum256(data)
		w.provider().Assert(t.Context(), provider.AssertionRequest{RPID: "example.com", ClientDataHash: hashed[:], ID: r.ID}, w, request{w})
		a := w.asserted[len(w.asserted)-1]
		parsed, err := protocol.ParseCredentialRequestResponseBytes(response(t, a.ID, map[string][]byte{
			"clientDataJSON": data, "authenticatorData": a.AuthData, "signature": a.Signature, "userHandle": a.UserHandle,
		}))
		if err != nil {
			t.Fatal(err)
		}
		if credential, err = party.ValidateLogin(v, *session, parsed); err != nil {
			t.Fatal(err)
		}
		if credential.Authenticator.SignCount != want || credential.Authenticator.CloneWarning {
			t.Errorf("count %d, want %d; cloned: %t", credential.Authenticator.SignCount, want, credential.Authenticator.CloneWarning)
		}
	}
}
