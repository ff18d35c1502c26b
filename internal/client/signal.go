package client

import (
	"context"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// SignalOptions are the members of UnknownCredentialOptions, AllAcceptedCredentialsOptions
// and CurrentUserDetailsOptions (§5.1.10).
type SignalOptions struct {
	RPID         string               `json:"rpId"`
	CredentialID webauthn.Base64URL   `json:"credentialId"`
	UserID       webauthn.Base64URL   `json:"userId"`
	Accepted     []webauthn.Base64URL `json:"allAcceptedCredentialIds"`
	Name         string               `json:"name"`
	DisplayName  string               `json:"displayName"`
}

// Signal passes on what a page says of its relying party's passkeys. It tells the page
// nothing but that it was heard. Errors are ErrBrowser and *Exception.
func (c *Client) Signal(ctx context.Context, p Page, kind ctap.Signal, o *SignalOptions) error {
	rpID, err := p.rpID(&o.RPID)
	if err != nil {
		return err
	}
	request := &ctap.SignalRequest{Signal: kind, RPID: rpID}
	switch kind {
	case ctap.SignalUnknownCredential:
		request.CredentialID = o.CredentialID
	case ctap.SignalAllAcceptedCredentials:
		request.UserID = o.UserID
		request.Accepted = make([][]byte, 0, len(o.Accepted))
		for _, id := range o.Accepted {
			request.Accepted = append(request.Accepted, id)
		}
	case ctap.SignalCurrentUserDetails:
		request.UserID, request.Name, request.DisplayName = o.UserID, o.Name, o.DisplayName
	}
	if request.Check() != nil {
		return &Exception{typeError, "The signal lacks a member, or has one of a wrong length."}
	}
	if _, err := ctap.Call[ctap.SignalResponse](ctx, c.Authenticator, ctap.CommandSignal, request); err != nil {
		return ErrBrowser
	}
	return nil
}
