package party

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/credential"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// Device is an authenticator under test, fresh: no PIN, no credentials, alwaysUv
// on, the person saying yes at once.
type Device struct {
	// Open gives a new channel.
	Open func(t *testing.T) ctap.Authenticator
	// Person is who the device asks.
	Person *Person
	// PowerCycle pulls the device and puts it back.
	PowerCycle func(t *testing.T)
	// Socket is whether the door is the socket rather than HID.
	Socket bool
}

// The PINs of the contract. The second has more bytes than characters.
const (
	FirstPIN = "correct horse"
	OtherPIN = "pferd-åäö-批"
	WrongPIN = "battery staple"
)

// Rig is a platform and a relying party at work on a device, by way of A.
type Rig struct {
	*testing.T
	Device
	A        ctap.Authenticator
	Protocol pinuv.Protocol
}

// Platform is the browser's side of the PIN protocol in use.
func (r *Rig) Platform() ctap.Platform {
	return ctap.Platform{Authenticator: r.A, Protocol: r.Protocol}
}

// OK fails the test at an error.
func (r *Rig) OK(err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("unexpected: %v", err)
	}
}

// Wants fails the test at any answer but that status.
func (r *Rig) Wants(status ctap.Status, err error) {
	r.Helper()
	if !errors.Is(err, status) {
		r.Fatalf("got %v, want %v", err, status)
	}
}

// PIN is a PIN as it is typed.
func PIN(text string) secret.Bytes { return secret.Of([]byte(text)) }

// SetPIN sets FirstPIN.
func (r *Rig) SetPIN() { r.Helper(); r.OK(r.Platform().SetPIN(r.Context(), PIN(FirstPIN))) }

// Token gets a token by FirstPIN.
func (r *Rig) Token(permissions ctap.Permission, rpID string) pinuv.Token {
	r.Helper()
	token, err := r.Platform().TokenWithPIN(r.Context(), PIN(FirstPIN), permissions, rpID)
	r.OK(err)
	return token
}

// Challenge is a client data hash.
func Challenge(text string) []byte {
	hash := sha256.Sum256([]byte(text))
	return hash[:]
}

// Site is whom accounts are with where it does not matter.
const Site = "example.com"

// Registration asks for a discoverable credential.
func Registration(rpID, account string) *ctap.MakeCredentialRequest {
	yes := true
	return &ctap.MakeCredentialRequest{
		ClientDataHash: Challenge("register"),
		RP:             &ctap.RelyingParty{ID: rpID, Name: "The " + rpID},
		User:           &ctap.User{ID: []byte("id of " + account), Name: account, DisplayName: "Dear " + account},
		Parameters:     []ctap.Parameter{{Algorithm: cose.EdDSA, Type: "public-key"}, {Algorithm: cose.ES256, Type: "public-key"}},
		Options:        &ctap.Options{RK: &yes},
	}
}

// Authenticated adds a pinUvAuthParam made with a fresh token.
func (r *Rig) Authenticated(req *ctap.MakeCredentialRequest) *ctap.MakeCredentialRequest {
	r.Helper()
	token := r.Token(ctap.PermissionMakeCredential, req.RP.ID)
	param := token.Authenticate(req.ClientDataHash)
	req.PINUVAuthParam, req.PINUVAuthProtocol = &param, token.Protocol()
	return req
}

// Registered is what a relying party keeps.
type Registered struct {
	RPID string
	ID   []byte
	Key  *ecdsa.PublicKey
	Data webauthn.AuthenticatorData
}

// Register registers with a fresh token and checks the answer.
func (r *Rig) Register(rpID, account string) Registered {
	r.Helper()
	return r.RegisterRequest(r.Authenticated(Registration(rpID, account)))
}

// RegisterRequest registers and checks what a relying party would.
func (r *Rig) RegisterRequest(req *ctap.MakeCredentialRequest) Registered {
	r.Helper()
	response, err := r.A.MakeCredential(r.Context(), req)
	r.OK(err)
	data, err := webauthn.ParseAuthenticatorData(response.AuthData)
	r.OK(err)
	if data.Attested == nil {
		r.Fatal("no attested credential data")
	}
	if response.Format == "packed" {
		r.OK(webauthn.VerifyPackedSelf(webauthn.AttestationObject{
			Format: response.Format, Statement: response.Statement, AuthData: response.AuthData,
		}, req.ClientDataHash))
	}
	key, err := data.Attested.PublicKey.ECDSA()
	r.OK(err)
	if data.RPIDHash != webauthn.RPIDHash(req.RP.ID) {
		r.Fatal("the RP ID hash is another RP's")
	}
	return Registered{RPID: req.RP.ID, ID: data.Attested.CredentialID, Key: key, Data: data}
}

// SignIn asks for an assertion; with allowed, by one of those.
func SignIn(rpID string, allowed ...Registered) *ctap.GetAssertionRequest {
	req := &ctap.GetAssertionRequest{RPID: rpID, ClientDataHash: Challenge("sign in")}
	for _, c := range allowed {
		req.AllowList = append(req.AllowList, ctap.Descriptor{ID: c.ID, Type: "public-key"})
	}
	return req
}

// AuthenticatedSignIn adds a pinUvAuthParam made with a fresh token.
func (r *Rig) AuthenticatedSignIn(req *ctap.GetAssertionRequest) *ctap.GetAssertionRequest {
	r.Helper()
	return WithToken(req, r.Token(ctap.PermissionGetAssertion, req.RPID))
}

// WithToken adds a pinUvAuthParam made with token.
func WithToken(req *ctap.GetAssertionRequest, token pinuv.Token) *ctap.GetAssertionRequest {
	param := token.Authenticate(req.ClientDataHash)
	req.PINUVAuthParam, req.PINUVAuthProtocol = &param, token.Protocol()
	return req
}

// Verify checks an assertion as a relying party does and gives its data.
func (c Registered) Verify(r *Rig, response *ctap.GetAssertionResponse) webauthn.AuthenticatorData {
	r.Helper()
	data, err := webauthn.ParseAuthenticatorData(response.AuthData)
	r.OK(err)
	if !c.Signed(response) {
		r.Fatal("the signature does not verify")
	}
	if data.RPIDHash != webauthn.RPIDHash(c.RPID) {
		r.Fatal("the RP ID hash is another RP's")
	}
	return data
}

// Signed tells whether c's key made the signature.
func (c Registered) Signed(response *ctap.GetAssertionResponse) bool {
	spec := credential.KeySpec{Algorithm: c.Data.Attested.PublicKey.Algorithm}
	return ecdsa.VerifyASN1(c.Key, spec.Digest(response.AuthData, Challenge("sign in")), response.Signature)
}

// WantFlags fails the test at other flags.
func (r *Rig) WantFlags(data webauthn.AuthenticatorData, want webauthn.Flags) {
	r.Helper()
	if data.Flags != want {
		r.Fatalf("flags %08b, want %08b", data.Flags, want)
	}
}

// Raw encodes v.
func Raw(r *Rig, v any) cbor.Raw {
	r.Helper()
	encoded, err := cbor.Marshal(v)
	r.OK(err)
	return encoded
}

// Silently makes a request one that asks nobody.
func Silently(req *ctap.GetAssertionRequest) *ctap.GetAssertionRequest {
	no := false
	req.Options = &ctap.Options{UP: &no}
	return req
}

// Info asks the device about itself.
func (r *Rig) Info() *ctap.GetInfoResponse {
	r.Helper()
	info, err := r.A.GetInfo(r.Context())
	r.OK(err)
	return info
}

// SiteParams asks credential management for Site.
func SiteParams() *ctap.CredentialManagementParams {
	hash := webauthn.RPIDHash(Site)
	return &ctap.CredentialManagementParams{RPIDHash: hash[:]}
}
