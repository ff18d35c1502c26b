package ctaptest

import (
	"bytes"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest/party"
	"github.com/localpasskey/localpasskey/internal/pinuv"
)

// checkRefusals is what a careless authenticator would let pass.
func checkRefusals(r *rig) {
	r.forgedPINs() // and sets the PIN
	c := r.Register(party.Site, "alice")
	yes, no := true, false

	req := r.AuthenticatedSignIn(party.SignIn(party.Site, c))
	req.Options = &ctap.Options{RK: &yes}
	_, err := r.A.GetAssertion(r.Context(), req)
	r.Wants(ctap.UnsupportedOption, err)

	token := r.Token(ctap.PermissionGetAssertion, party.Site)
	req = party.WithToken(party.SignIn(party.Site, c), token)
	req.PINUVAuthProtocol = pinuv.One // the token is protocol two's
	_, err = r.A.GetAssertion(r.Context(), req)
	r.Wants(ctap.PINAuthInvalid, err)

	req = r.AuthenticatedSignIn(party.SignIn(party.Site, c))
	req.Options = &ctap.Options{UP: &no}
	req.Extensions = ctap.Extensions{"hmac-secret": r.salts()}
	_, err = r.A.GetAssertion(r.Context(), req)
	r.Wants(ctap.UnsupportedOption, err)

	req = r.AuthenticatedSignIn(party.SignIn(party.Site))
	req.AllowList = []ctap.Descriptor{{ID: c.ID, Type: "something-else"}}
	_, err = r.A.GetAssertion(r.Context(), req)
	r.Wants(ctap.NoCredentials, err)

	again := party.Registration(party.Site, "bob")
	again.ExcludeList = req.AllowList
	r.RegisterRequest(r.Authenticated(again))

	elsewhere := r.Token(ctap.PermissionCredentialManagement, "other.example")
	_, err = ctap.ManageCredentials(r.Context(), r.A, elsewhere, ctap.EnumerateCredentialsBegin, party.SiteParams())
	r.Wants(ctap.PINAuthInvalid, err)

	permissions := ctap.PermissionGetAssertion
	_, legacy, err := r.Platform().Agree(r.Context())
	r.OK(err)
	legacy.Subcommand, legacy.Permissions, legacy.PINHashEnc = ctap.GetPINToken, &permissions, make([]byte, 32)
	_, err = r.A.ClientPIN(r.Context(), legacy)
	r.Wants(ctap.InvalidParameter, err)
	r.notDiscoverable()
}

// forgedPINs changes a bit of what authenticates setPIN and changePIN.
func (r *rig) forgedPINs() {
	r.Helper()
	shared, req, err := r.Platform().Agree(r.Context())
	r.OK(err)
	padded, err := shared.Encrypt(append([]byte(party.FirstPIN), make([]byte, 64-len(party.FirstPIN))...))
	r.OK(err)
	forged := shared.Authenticate(padded)
	forged[0] ^= 1
	req.Subcommand, req.NewPINEnc, req.PINUVAuthParam = ctap.SetPIN, padded, forged
	_, err = r.A.ClientPIN(r.Context(), req)
	r.Wants(ctap.PINAuthInvalid, err)
	short, err := shared.Encrypt(make([]byte, 32))
	r.OK(err)
	req.NewPINEnc, req.PINUVAuthParam = short, shared.Authenticate(short)
	_, err = r.A.ClientPIN(r.Context(), req)
	r.Wants(ctap.InvalidParameter, err)

	r.SetPIN()
	shared, req, err = r.Platform().Agree(r.Context())
	r.OK(err)
	padded, err = shared.Encrypt(append([]byte(party.OtherPIN), make([]byte, 64-len(party.OtherPIN))...))
	r.OK(err)
	hash, err := shared.Encrypt(make([]byte, 16))
	r.OK(err)
	forged = shared.Authenticate(append(bytes.Clone(padded), hash...))
	forged[0] ^= 1
	req.Subcommand, req.NewPINEnc, req.PINHashEnc, req.PINUVAuthParam = ctap.ChangePIN, padded, hash, forged
	_, err = r.A.ClientPIN(r.Context(), req)
	r.Wants(ctap.PINAuthInvalid, err)
	if left, _, _ := r.retries(); left != 8 {
		r.Errorf("a forged request cost a try: %d left", left)
	}
}

// salts is a well-formed hmac-secret input.
func (r *rig) salts() cbor.Raw {
	r.Helper()
	shared, agreement, err := r.Platform().Agree(r.Context())
	r.OK(err)
	enc, err := shared.Encrypt(make([]byte, 32))
	r.OK(err)
	return party.Raw(r.Rig, map[int]any{1: agreement.KeyAgreement, 2: enc, 3: shared.Authenticate(enc), 4: uint(r.Protocol)})
}

// notDiscoverable registers without rk: found by its id alone.
func (r *rig) notDiscoverable() {
	r.Helper()
	req := party.Registration("quiet.example", "alice")
	req.Options = nil
	c := r.RegisterRequest(r.Authenticated(req))
	_, err := r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn("quiet.example")))
	r.Wants(ctap.NoCredentials, err)
	response, err := r.A.GetAssertion(r.Context(), r.AuthenticatedSignIn(party.SignIn("quiet.example", c)))
	r.OK(err)
	c.Verify(r.Rig, response)
	if response.User != nil {
		r.Errorf("a credential that is not discoverable names its user: %+v", response.User)
	}
}
