package ctaptest

import (
	"bytes"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
)

// checkRefusals is what a careless authenticator would let pass.
func checkRefusals(r *rig) {
	r.forgedPINs() // and sets the PIN
	c := r.register(site, "alice")
	yes, no := true, false

	req := r.authenticatedSignIn(signIn(site, c))
	req.Options = &ctap.Options{RK: &yes}
	_, err := r.a.GetAssertion(r.Context(), req)
	r.wants(ctap.UnsupportedOption, err)

	token := r.token(ctap.PermissionGetAssertion, site)
	req = withToken(signIn(site, c), token)
	req.PINUVAuthProtocol = pinuv.One // the token is protocol two's
	_, err = r.a.GetAssertion(r.Context(), req)
	r.wants(ctap.PINAuthInvalid, err)

	req = r.authenticatedSignIn(signIn(site, c))
	req.Options = &ctap.Options{UP: &no}
	req.Extensions = ctap.Extensions{"hmac-secret": r.salts()}
	_, err = r.a.GetAssertion(r.Context(), req)
	r.wants(ctap.UnsupportedOption, err)

	req = r.authenticatedSignIn(signIn(site))
	req.AllowList = []ctap.Descriptor{{ID: c.id, Type: "something-else"}}
	_, err = r.a.GetAssertion(r.Context(), req)
	r.wants(ctap.NoCredentials, err)

	again := registration(site, "bob")
	again.ExcludeList = req.AllowList
	r.registerRequest(r.authenticated(again))

	elsewhere := r.token(ctap.PermissionCredentialManagement, "other.example")
	_, err = ctap.ManageCredentials(r.Context(), r.a, elsewhere, ctap.EnumerateCredentialsBegin, siteParams())
	r.wants(ctap.PINAuthInvalid, err)

	permissions := ctap.PermissionGetAssertion
	_, legacy, err := r.platform().Agree(r.Context())
	r.ok(err)
	legacy.Subcommand, legacy.Permissions, legacy.PINHashEnc = ctap.GetPINToken, &permissions, make([]byte, 32)
	_, err = r.a.ClientPIN(r.Context(), legacy)
	r.wants(ctap.InvalidParameter, err)
	r.notDiscoverable()
}

// forgedPINs changes a bit of what authenticates setPIN and changePIN.
func (r *rig) forgedPINs() {
	r.Helper()
	shared, req, err := r.platform().Agree(r.Context())
	r.ok(err)
	padded, err := shared.Encrypt(append([]byte(firstPIN), make([]byte, 64-len(firstPIN))...))
	r.ok(err)
	forged := shared.Authenticate(padded)
	forged[0] ^= 1
	req.Subcommand, req.NewPINEnc, req.PINUVAuthParam = ctap.SetPIN, padded, forged
	_, err = r.a.ClientPIN(r.Context(), req)
	r.wants(ctap.PINAuthInvalid, err)
	short, err := shared.Encrypt(make([]byte, 32))
	r.ok(err)
	req.NewPINEnc, req.PINUVAuthParam = short, shared.Authenticate(short)
	_, err = r.a.ClientPIN(r.Context(), req)
	r.wants(ctap.InvalidParameter, err)

	r.setPIN()
	shared, req, err = r.platform().Agree(r.Context())
	r.ok(err)
	padded, err = shared.Encrypt(append([]byte(otherPIN), make([]byte, 64-len(otherPIN))...))
	r.ok(err)
	hash, err := shared.Encrypt(make([]byte, 16))
	r.ok(err)
	forged = shared.Authenticate(append(bytes.Clone(padded), hash...))
	forged[0] ^= 1
	req.Subcommand, req.NewPINEnc, req.PINHashEnc, req.PINUVAuthParam = ctap.ChangePIN, padded, hash, forged
	_, err = r.a.ClientPIN(r.Context(), req)
	r.wants(ctap.PINAuthInvalid, err)
	if left, _, _ := r.retries(); left != 8 {
		r.Errorf("a forged request cost a try: %d left", left)
	}
}

// salts is a well-formed hmac-secret input.
func (r *rig) salts() cbor.Raw {
	r.Helper()
	shared, agreement, err := r.platform().Agree(r.Context())
	r.ok(err)
	enc, err := shared.Encrypt(make([]byte, 32))
	r.ok(err)
	return raw(r, map[int]any{1: agreement.KeyAgreement, 2: enc, 3: shared.Authenticate(enc), 4: uint(r.protocol)})
}

// notDiscoverable registers without rk: found by its id alone.
func (r *rig) notDiscoverable() {
	r.Helper()
	req := registration("quiet.example", "alice")
	req.Options = nil
	c := r.registerRequest(r.authenticated(req))
	_, err := r.a.GetAssertion(r.Context(), r.authenticatedSignIn(signIn("quiet.example")))
	r.wants(ctap.NoCredentials, err)
	response, err := r.a.GetAssertion(r.Context(), r.authenticatedSignIn(signIn("quiet.example", c)))
	r.ok(err)
	c.verify(r, response)
	if response.User != nil {
		r.Errorf("a credential that is not discoverable names its user: %+v", response.User)
	}
}
