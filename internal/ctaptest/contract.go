package ctaptest

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
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
	firstPIN = "correct horse"
	otherPIN = "pferd-åäö-批"
	wrongPIN = "battery staple"
)

// Run holds a device, made fresh by fresh for each case, to the contract.
func Run(t *testing.T, fresh func(t *testing.T) Device) {
	for name, check := range map[string]func(*rig){
		"info":                 checkInfo,
		"pin needed":           checkPINNeeded,
		"register and sign in": checkRegisterAndSignIn,
		"built-in uv":          checkBuiltInUV,
		"pin life":             checkPINLife,
		"pin lockout":          checkLockout,
		"peer keys":            checkPeerKeys,
		"excluded":             checkExcluded,
		"accounts":             checkAccounts,
		"who is named":         checkWhoIsNamed,
		"protection":           checkProtection,
		"hmac-secret":          checkHMACSecret,
		"management":           checkManagement,
		"always-uv":            checkAlwaysUV,
		"always-uv, no pin":    checkAlwaysUVWithoutPIN,
		"min pin length":       checkMinPINLength,
		"config refusals":      checkConfigRefusals,
		"tokens":               checkTokens,
		"cancel":               checkCancel,
		"silent probe":         checkSilentProbe,
		"channels":             checkChannels,
		"parameters":           checkParameters,
		"refusals":             checkRefusals,
		"selection":            checkSelection,
		"reset":                checkReset,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			device := fresh(t)
			check(&rig{T: t, Device: device, a: device.Open(t), protocol: pinuv.Two})
		})
	}
}

// rig is a platform at work on a device.
type rig struct {
	*testing.T
	Device
	a        ctap.Authenticator
	protocol pinuv.Protocol
}

func (r *rig) platform() ctap.Platform {
	return ctap.Platform{Authenticator: r.a, Protocol: r.protocol}
}

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("unexpected: %v", err)
	}
}

func (r *rig) wants(status ctap.Status, err error) {
	r.Helper()
	if !errors.Is(err, status) {
		r.Fatalf("got %v, want %v", err, status)
	}
}

func pin(text string) secret.Bytes { return secret.Of([]byte(text)) }

func (r *rig) setPIN() { r.Helper(); r.ok(r.platform().SetPIN(r.Context(), pin(firstPIN))) }

func (r *rig) token(permissions ctap.Permission, rpID string) pinuv.Token {
	r.Helper()
	token, err := r.platform().TokenWithPIN(r.Context(), pin(firstPIN), permissions, rpID)
	r.ok(err)
	return token
}

// challenge is a client data hash.
func challenge(text string) []byte {
	hash := sha256.Sum256([]byte(text))
	return hash[:]
}

const site = "example.com"

func registration(rpID, account string) *ctap.MakeCredentialRequest {
	yes := true
	return &ctap.MakeCredentialRequest{
		ClientDataHash: challenge("register"),
		RP:             &ctap.RelyingParty{ID: rpID, Name: "The " + rpID},
		User:           &ctap.User{ID: []byte("id of " + account), Name: account, DisplayName: "Dear " + account},
		Parameters:     []ctap.Parameter{{Algorithm: cose.EdDSA, Type: "public-key"}, {Algorithm: cose.ES256, Type: "public-key"}},
		Options:        &ctap.Options{RK: &yes},
	}
}

// authenticated adds a pinUvAuthParam made with a fresh token.
func (r *rig) authenticated(req *ctap.MakeCredentialRequest) *ctap.MakeCredentialRequest {
	r.Helper()
	token := r.token(ctap.PermissionMakeCredential, req.RP.ID)
	param := token.Authenticate(req.ClientDataHash)
	req.PINUVAuthParam, req.PINUVAuthProtocol = &param, token.Protocol()
	return req
}

// registered is what a relying party keeps.
type registered struct {
	rpID string
	id   []byte
	key  *ecdsa.PublicKey
	data webauthn.AuthenticatorData
}

func (r *rig) register(rpID, account string) registered {
	r.Helper()
	return r.registerRequest(r.authenticated(registration(rpID, account)))
}

// registerRequest registers and checks what a relying party would.
func (r *rig) registerRequest(req *ctap.MakeCredentialRequest) registered {
	r.Helper()
	response, err := r.a.MakeCredential(r.Context(), req)
	r.ok(err)
	data, err := webauthn.ParseAuthenticatorData(response.AuthData)
	r.ok(err)
	if data.Attested == nil {
		r.Fatal("no attested credential data")
	}
	if response.Format == "packed" {
		r.ok(webauthn.VerifyPackedSelf(webauthn.AttestationObject{
			Format: response.Format, Statement: response.Statement, AuthData: response.AuthData,
		}, req.ClientDataHash))
	}
	key, err := data.Attested.PublicKey.ECDSA()
	r.ok(err)
	if data.RPIDHash != webauthn.RPIDHash(req.RP.ID) {
		r.Fatal("the RP ID hash is another RP's")
	}
	return registered{rpID: req.RP.ID, id: data.Attested.CredentialID, key: key, data: data}
}

func signIn(rpID string, allowed ...registered) *ctap.GetAssertionRequest {
	req := &ctap.GetAssertionRequest{RPID: rpID, ClientDataHash: challenge("sign in")}
	for _, c := range allowed {
		req.AllowList = append(req.AllowList, ctap.Descriptor{ID: c.id, Type: "public-key"})
	}
	return req
}

func (r *rig) authenticatedSignIn(req *ctap.GetAssertionRequest) *ctap.GetAssertionRequest {
	r.Helper()
	return withToken(req, r.token(ctap.PermissionGetAssertion, req.RPID))
}

func withToken(req *ctap.GetAssertionRequest, token pinuv.Token) *ctap.GetAssertionRequest {
	param := token.Authenticate(req.ClientDataHash)
	req.PINUVAuthParam, req.PINUVAuthProtocol = &param, token.Protocol()
	return req
}

// silently makes a request one that asks nobody.
func silently(req *ctap.GetAssertionRequest) *ctap.GetAssertionRequest {
	no := false
	req.Options = &ctap.Options{UP: &no}
	return req
}

// verify checks an assertion as a relying party does and gives its data.
func (c registered) verify(r *rig, response *ctap.GetAssertionResponse) webauthn.AuthenticatorData {
	r.Helper()
	data, err := webauthn.ParseAuthenticatorData(response.AuthData)
	r.ok(err)
	if !c.signed(response) {
		r.Fatal("the signature does not verify")
	}
	if data.RPIDHash != webauthn.RPIDHash(c.rpID) {
		r.Fatal("the RP ID hash is another RP's")
	}
	return data
}

func (c registered) signed(response *ctap.GetAssertionResponse) bool {
	digest := sha256.Sum256(append(append([]byte(nil), response.AuthData...), challenge("sign in")...))
	return ecdsa.VerifyASN1(c.key, digest[:], response.Signature)
}

func (r *rig) wantFlags(data webauthn.AuthenticatorData, want webauthn.Flags) {
	r.Helper()
	if data.Flags != want {
		r.Fatalf("flags %08b, want %08b", data.Flags, want)
	}
}

func raw(r *rig, v any) cbor.Raw {
	r.Helper()
	encoded, err := cbor.Marshal(v)
	r.ok(err)
	return encoded
}
