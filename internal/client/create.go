package client

import (
	"context"
	"errors"
	"slices"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// Create is navigator.credentials.create() (§5.1.3; comments give its steps). Errors are
// ErrBrowser, alone or with a cause, and *Exception.
func (c *Client) Create(ctx context.Context, p Page, o *CreationOptions) (*Credential, error) {
	made, err := c.create(ctx, &p, o)
	return made, outcome(err)
}

func (c *Client) create(ctx context.Context, p *Page, o *CreationOptions) (*Credential, error) {
	if o.Selection.Attachment == crossPlatform || wantsOther(o.Hints) {
		return nil, ErrBrowser
	}
	if p.CrossOrigin && !p.Activated { // step 1
		return nil, notAllowed()
	}
	if n := len(o.User.ID); n < 1 || n > maxHandleBytes { // step 5
		return nil, &Exception{typeError, "user.id must have 1 to 64 bytes."}
	}
	parameters, err := parametersOf(o) // step 10
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout(o.TimeoutMilliseconds)) // step 4
	defer cancel()
	in, err := c.begin(ctx, p, webauthn.TypeCreate, o.RP.ID, o.Challenge) // steps 6–8, 13–15
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(parameters, func(p ctap.Parameter) bool { return slices.Contains(in.info.Algorithms, p) }) {
		return nil, unsupportedAlgorithms()
	}
	extensions, secrets, err := in.registrationInputs(ctx, &o.Extensions) // steps 11–12
	if err != nil {
		return nil, err
	}
	defer secrets.wipe()
	discoverable := o.discoverable()
	in.asks()
	response, err := c.Authenticator.MakeCredential(ctx, &ctap.MakeCredentialRequest{ // steps 20–22
		ClientDataHash: in.hash,
		RP:             &ctap.RelyingParty{ID: in.rpID, Name: o.RP.Name},
		User:           &ctap.User{ID: o.User.ID, Name: o.User.Name, DisplayName: o.User.DisplayName},
		Parameters:     parameters,
		ExcludeList:    in.named(o.Exclude),
		Extensions:     extensions,
		Options:        &ctap.Options{RK: &discoverable, UV: verified(o.Selection.UserVerification)},
	})
	if err != nil {
		return nil, err
	}
	return in.registered(o, response, secrets, discoverable)
}

// parametersOf is step 10: what is no public key does not count, and who names nothing
// takes ES256 and RS256.
func parametersOf(o *CreationOptions) (parameters []ctap.Parameter, err error) {
	if len(o.Parameters) == 0 {
		return []ctap.Parameter{{Algorithm: cose.ES256, Type: publicKeyType}, {Algorithm: rs256, Type: publicKeyType}}, nil
	}
	for _, p := range o.Parameters {
		if p.Type == publicKeyType && p.Algorithm != 0 {
			parameters = append(parameters, ctap.Parameter{Algorithm: p.Algorithm, Type: publicKeyType})
		}
	}
	if len(parameters) == 0 {
		return nil, unsupportedAlgorithms()
	}
	return parameters, nil
}

// rs256 is what a page takes that names no algorithm, from the specification: §5.1.3
// step 10. We have none.
const rs256 cose.Algorithm = -257

// discoverable is residentKey, or what came before it (§5.4.4, §5.4.6).
func (o *CreationOptions) discoverable() bool {
	switch o.Selection.ResidentKey {
	case required, preferred:
		return true
	case discouraged:
		return false
	default:
		return o.Selection.RequireResidentKey
	}
}

// registered makes what the page gets (step 23).
func (in *ceremony) registered(o *CreationOptions, made *ctap.MakeCredentialResponse, secrets *salts, discoverable bool) (*Credential, error) {
	data, err := in.checked(made.AuthData, o.Selection.UserVerification)
	if err != nil {
		return nil, err
	}
	if data.Attested == nil {
		return nil, errors.New("no credential in the answer")
	}
	object := webauthn.AttestationObject{Format: made.Format, Statement: made.Statement, AuthData: made.AuthData}
	if o.Attestation == "" || o.Attestation == attestNone {
		// The AAGUID stays: it names a model, not a device.
		object.Format, object.Statement = webauthn.FormatNone, emptyMap()
	}
	attestation, err := object.Marshal()
	if err != nil {
		return nil, err
	}
	key, err := data.Attested.PublicKey.SPKI()
	if err != nil {
		return nil, err
	}
	results, err := in.registrationOutputs(&o.Extensions, data, secrets, discoverable)
	if err != nil {
		return nil, err
	}
	id := data.Attested.CredentialID
	return &Credential{
		ID: id, RawID: id, Type: publicKeyType, Attachment: platform, Extensions: *results,
		Response: response{
			ClientData: in.clientData, AuthData: made.AuthData, Attestation: attestation,
			Transports: in.info.Transports, PublicKey: key, Algorithm: data.Attested.PublicKey.Algorithm,
		},
	}, nil
}

// emptyMap is a CBOR map of nothing.
func emptyMap() cbor.Raw { return cbor.Raw{0xA0} }
