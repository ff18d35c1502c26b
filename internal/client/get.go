package client

import (
	"context"
	"slices"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// Get is navigator.credentials.get() (§5.1.4; comments give its steps). Errors are
// ErrBrowser, alone or with a cause, and *Exception.
func (c *Client) Get(ctx context.Context, p Page, o *RequestOptions) (*Credential, error) {
	got, err := c.get(ctx, &p, o)
	return got, outcome(err)
}

func (c *Client) get(ctx context.Context, p *Page, o *RequestOptions) (*Credential, error) {
	if wantsOther(o.Hints) {
		return nil, ErrBrowser
	}
	ctx, cancel := context.WithTimeout(ctx, timeout(o.TimeoutMilliseconds)) // step 4
	defer cancel()
	in, err := c.begin(ctx, p, webauthn.TypeGet, o.RPID, o.Challenge) // steps 5–8, 11–13
	if err != nil {
		return nil, err
	}
	if err := o.checkPRF(); err != nil {
		return nil, err
	}
	allowed, err := in.allowed(o)
	if err != nil {
		return nil, err
	}
	extensions, secrets, err := in.signInInputs(ctx, &o.Extensions, allowed) // steps 9–10
	if err != nil {
		return nil, err
	}
	defer secrets.wipe()
	in.asks()
	assertion, err := c.Authenticator.GetAssertion(ctx, &ctap.GetAssertionRequest{ // steps 18–20
		RPID: in.rpID, ClientDataHash: in.hash, AllowList: allowed, Extensions: extensions,
		Options: &ctap.Options{UV: verified(o.UserVerification)},
	})
	if err != nil {
		return nil, err
	}
	return in.signedIn(o, assertion, secrets)
}

// allowed are the passkeys here that the page would take, nil for any. Where none is here
// the browser has its turn, and nobody was asked. Salts of prf belong to one passkey: then
// it is the first of them.
func (in *ceremony) allowed(o *RequestOptions) ([]ctap.Descriptor, error) {
	if len(o.Allow) == 0 {
		offered := func(p ctap.Passkey) bool { return p.Discoverable && !p.Hidden }
		if !slices.ContainsFunc(in.here, offered) {
			return nil, ErrBrowser
		}
		return nil, nil
	}
	found := in.named(o.Allow)
	if len(found) == 0 {
		return nil, ErrBrowser
	}
	if o.Extensions.PRF != nil && len(o.Extensions.PRF.EvalByCredential) > 0 {
		found = found[:1]
	}
	return found, nil
}

// signedIn makes what the page gets (step 21).
func (in *ceremony) signedIn(o *RequestOptions, got *ctap.GetAssertionResponse, secrets *salts) (*Credential, error) {
	data, err := in.checked(got.AuthData, o.UserVerification)
	if err != nil {
		return nil, err
	}
	if got.Credential == nil || in.find(got.Credential.ID) == nil {
		return nil, notAllowed()
	}
	results, err := in.signInOutputs(&o.Extensions, data, secrets)
	if err != nil {
		return nil, err
	}
	made := &Credential{
		ID: got.Credential.ID, RawID: got.Credential.ID, Type: publicKeyType, Attachment: platform, Extensions: *results,
		Response: response{ClientData: in.clientData, AuthData: got.AuthData, Signature: got.Signature},
	}
	if got.User != nil {
		made.Response.UserHandle = got.User.ID
	}
	return made, nil
}
