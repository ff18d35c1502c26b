package authenticator_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	relyingparty "github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// visitor is a user of a relying party that nobody here wrote.
type visitor struct{ passkeys []relyingparty.Credential }

func (v *visitor) WebAuthnID() []byte                             { return []byte("1") }
func (v *visitor) WebAuthnName() string                           { return "alice" }
func (v *visitor) WebAuthnDisplayName() string                    { return "Alice" }
func (v *visitor) WebAuthnCredentials() []relyingparty.Credential { return v.passkeys }

// clientData is what a browser signs the challenge into.
func clientData(t *testing.T, kind, challenge string) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": "https://" + rpID})
	check(t, err)
	return text
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// answered is a credential as a browser hands it to the page.
func answered(t *testing.T, id []byte, response map[string]string) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"id": b64(id), "rawId": b64(id), "type": "public-key", "response": response})
	check(t, err)
	return text
}

// TestES384IsAccepted: go-webauthn takes a registration with self attestation by a P-384
// key, and the sign-in with it.
func TestES384IsAccepted(t *testing.T) {
	s := newStack(t)
	p := ctap.Platform{Authenticator: s.Channel(ctap.DoorSocket), Protocol: pinuv.Two}
	check(t, p.SetPIN(t.Context(), secret.Of([]byte("1234"))))
	site, err := relyingparty.New(&relyingparty.Config{RPID: rpID, RPDisplayName: "Example", RPOrigins: []string{"https://" + rpID}})
	check(t, err)
	alice := new(visitor)
	_, session, err := site.BeginRegistration(alice, relyingparty.WithConveyancePreference(protocol.PreferDirectAttestation),
		relyingparty.WithCredentialParameters([]protocol.CredentialParameter{{Type: "public-key", Algorithm: webauthncose.AlgES384}}))
	check(t, err)
	client := clientData(t, "webauthn.create", session.Challenge)
	req := register(t, p)
	req.Parameters[0].Algorithm = cose.ES384
	param := token(t, p, ctap.PermissionMakeCredential, rpID).Authenticate(hash(string(client)))
	req.ClientDataHash, req.PINUVAuthParam = hash(string(client)), &param
	made, err := p.Authenticator.MakeCredential(t.Context(), req)
	check(t, err)
	object, err := webauthn.AttestationObject{Format: made.Format, Statement: made.Statement, AuthData: made.AuthData}.Marshal()
	check(t, err)
	data, err := webauthn.ParseAuthenticatorData(made.AuthData)
	check(t, err)
	id := data.Attested.CredentialID
	created, err := protocol.ParseCredentialCreationResponseBytes(answered(t, id, map[string]string{
		"clientDataJSON": b64(client), "attestationObject": b64(object),
	}))
	check(t, err)
	passkey, err := site.CreateCredential(alice, *session, created)
	check(t, err)
	if passkey.AttestationFormat != "packed" || data.Attested.PublicKey.Algorithm != cose.ES384 {
		t.Errorf("attested %s, algorithm %d", passkey.AttestationFormat, data.Attested.PublicKey.Algorithm)
	}
	alice.passkeys = []relyingparty.Credential{*passkey}

	_, session, err = site.BeginLogin(alice)
	check(t, err)
	client = clientData(t, "webauthn.get", session.Challenge)
	digest := sha256.Sum256(client)
	param = token(t, p, ctap.PermissionGetAssertion, rpID).Authenticate(digest[:])
	asserted, err := p.Authenticator.GetAssertion(t.Context(), &ctap.GetAssertionRequest{
		RPID: rpID, ClientDataHash: digest[:], PINUVAuthParam: &param, PINUVAuthProtocol: p.Protocol,
	})
	check(t, err)
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answered(t, id, map[string]string{
		"clientDataJSON": b64(client), "authenticatorData": b64(asserted.AuthData), "signature": b64(asserted.Signature),
	}))
	check(t, err)
	_, err = site.ValidateLogin(alice, *session, parsed)
	check(t, err)
}

// lesser is a connection to a chip that refuses the parameters of P-384.
type lesser struct{ tpm.Conn }

func (c lesser) Send(cmd []byte) ([]byte, error) {
	if tpm2.TPMCC(binary.BigEndian.Uint32(cmd[6:])) == tpm2.TPMCCTestParms {
		const firstParameter = 0x140 // Part 2 §6.6.2: RC_P + RC_1
		return tpm2.Marshal(tpm2.TPMRspHeader{Tag: tpm2.TPMSTNoSessions, Length: 10, ResponseCode: tpm2.TPMRCCurve | firstParameter}), nil
	}
	return c.Conn.Send(cmd)
}

// TestWithoutP384: a chip that lacks the curve is not said to have it, and the next in the
// relying party's order is taken.
func TestWithoutP384(t *testing.T) {
	s := newStackOn(t, func(open tpm.Opener) tpm.Opener {
		return func(ctx context.Context) (tpm.Conn, error) {
			conn, err := open(ctx)
			if err != nil {
				return nil, err
			}
			return lesser{conn}, nil
		}
	})
	channel := s.Channel(ctap.DoorSocket)
	info, err := channel.GetInfo(t.Context())
	check(t, err)
	if want := []ctap.Parameter{{Algorithm: cose.ES256, Type: ctap.PublicKeyType}}; !slices.Equal(info.Algorithms, want) {
		t.Errorf("algorithms %v", info.Algorithms)
	}
	p := ctap.Platform{Authenticator: channel, Protocol: pinuv.Two}
	check(t, p.SetPIN(t.Context(), secret.Of([]byte("1234"))))
	req := register(t, p)
	req.Parameters = []ctap.Parameter{{Algorithm: cose.ES384, Type: ctap.PublicKeyType}}
	_, err = channel.MakeCredential(t.Context(), req)
	wants(t, ctap.UnsupportedAlgorithm, err)
	if asked := s.person.Asked(); len(asked) != 0 {
		t.Errorf("asked %v", asked)
	}
	req = register(t, p)
	req.Parameters = slices.Insert(req.Parameters, 0, ctap.Parameter{Algorithm: cose.ES384, Type: ctap.PublicKeyType})
	made, err := channel.MakeCredential(t.Context(), req)
	check(t, err)
	data, err := webauthn.ParseAuthenticatorData(made.AuthData)
	check(t, err)
	if got := data.Attested.PublicKey.Algorithm; got != cose.ES256 {
		t.Errorf("it took %d", got)
	}
}
