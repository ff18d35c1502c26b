package manager

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// API is what the page can ask for. It speaks CTAP with the daemon, one connection for
// each call.
type API struct {
	// Dial connects to the daemon; hangUp ends it.
	Dial func(ctx context.Context) (a ctap.Authenticator, hangUp func() error, err error)
	// Explain puts an error into words for the person.
	Explain func(err error) (what, hint string)
}

// Refusal is why a call has failed.
type Refusal struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

// Pick names passkeys by their IDs, in hex.
type Pick []string

// RenameRequest gives a passkey new names. PIN is UTF-8, and base64 in JSON.
type RenameRequest struct {
	ID          string `json:"id"`
	UserName    string `json:"user_name"`
	DisplayName string `json:"display_name"`
	PIN         []byte `json:"pin"`
}

// DeleteRequest deletes passkeys. Typed is what the person has typed: see Confirmation.
type DeleteRequest struct {
	IDs   Pick   `json:"ids"`
	Typed string `json:"typed"`
	PIN   []byte `json:"pin"`
}

// Deleted tells what is gone, also where not all is.
type Deleted struct {
	IDs     Pick     `json:"ids"`
	Refusal *Refusal `json:"refusal,omitempty"`
}

// Call answers the call of that name. body is JSON, and may hold a PIN: it is wiped. ok
// tells whether the answer is one, or a Refusal.
func (a *API) Call(ctx context.Context, name string, body []byte) (answer []byte, ok bool) {
	defer clear(body)
	result, err := a.dispatch(ctx, name, body)
	if err != nil {
		result = a.refusal(err)
	}
	encoded, encodeErr := json.Marshal(result)
	if encodeErr != nil {
		return []byte(`{"error":"the answer cannot be written"}`), false
	}
	return encoded, err == nil
}

func (a *API) refusal(err error) *Refusal {
	what, hint := a.Explain(err)
	return &Refusal{Error: prompt.Legible(what, maxText), Hint: prompt.Legible(hint, maxText)}
}

func (a *API) dispatch(ctx context.Context, name string, body []byte) (any, error) {
	switch name {
	case "state":
		return with(ctx, a, a.state)
	case "passkeys":
		return with(ctx, a, a.passkeys)
	case "history":
		return with(ctx, a, a.history)
	case "settings":
		return with(ctx, a, a.settings)
	case "rename":
		return asked(ctx, a, body, func(r *RenameRequest) []byte { return r.PIN }, only(a.rename))
	case "delete":
		return asked(ctx, a, body, func(r *DeleteRequest) []byte { return r.PIN }, a.delete)
	case "configure":
		return asked(ctx, a, body, func(r *ConfigureRequest) []byte { return r.PIN }, a.configure)
	case "hide":
		return asked(ctx, a, body, noPIN, only(a.hide))
	case "compare":
		return asked(ctx, a, body, noPIN, a.compare)
	default:
		return nil, errors.New("there is no such call")
	}
}

// asked is with for a call that has a request. The PIN in it, if one is, is wiped.
func asked[Q, R any](ctx context.Context, a *API, body []byte, pin func(*Q) []byte, act func(context.Context, ctap.Authenticator, *Q) (R, error)) (any, error) {
	req := new(Q)
	if err := Decode(body, req); err != nil {
		return nil, err
	}
	defer clear(pin(req))
	return with(ctx, a, func(ctx context.Context, c ctap.Authenticator) (R, error) { return act(ctx, c, req) })
}

// only makes what there is to tell of what tells nothing: that it is done.
func only[Q any](act func(context.Context, ctap.Authenticator, *Q) error) func(context.Context, ctap.Authenticator, *Q) (struct{}, error) {
	return func(ctx context.Context, c ctap.Authenticator, req *Q) (struct{}, error) {
		return struct{}{}, act(ctx, c, req)
	}
}

// noPIN is the PIN of a request that has none.
func noPIN[Q any](*Q) []byte { return nil }

// Decode is strict. Its errors do not repeat the body: a PIN may be in it.
func Decode(body []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return errors.New("the page's request cannot be read")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the page's request")
	}
	return nil
}

// with connects and acts.
func with[R any](ctx context.Context, a *API, act func(context.Context, ctap.Authenticator) (R, error)) (R, error) {
	c, hangUp, err := a.Dial(ctx)
	if err != nil {
		var none R
		return none, err
	}
	defer hangUp() //nolint:errcheck // All that was asked has been answered.
	return act(ctx, c)
}

// rename gives a passkey new names.
func (a *API) rename(ctx context.Context, c ctap.Authenticator, req *RenameRequest) error {
	for _, name := range []string{req.UserName, req.DisplayName} {
		if len(name) > ctap.MaxNameBytes {
			return &ctap.Problem{What: fmt.Sprintf("the name has %d bytes, more than %d", len(name), ctap.MaxNameBytes), Hint: "choose a shorter one"}
		}
	}
	found, err := find(ctx, c, Pick{req.ID})
	if err != nil {
		return err
	}
	p := found[0]
	token, err := permitManaging(ctx, c, req.PIN, found)
	if err != nil {
		return err
	}
	defer token.Wipe()
	p.User.Name, p.User.DisplayName = req.UserName, req.DisplayName
	_, err = ctap.ManageCredentials(ctx, c, token, ctap.UpdateUserInformation, &ctap.CredentialManagementParams{
		Credential: descriptor(p), User: &p.User,
	})
	return err
}

// delete deletes passkeys, one after the other.
func (a *API) delete(ctx context.Context, c ctap.Authenticator, req *DeleteRequest) (*Deleted, error) {
	found, err := find(ctx, c, req.IDs)
	if err != nil {
		return nil, err
	}
	if req.Typed != Confirmation(found) {
		return nil, errors.New("what was typed is not what the page asked for; nothing was deleted")
	}
	token, err := permitManaging(ctx, c, req.PIN, found)
	if err != nil {
		return nil, err
	}
	defer token.Wipe()
	gone := &Deleted{IDs: Pick{}}
	for _, p := range found {
		_, err := ctap.ManageCredentials(ctx, c, token, ctap.DeleteCredential, &ctap.CredentialManagementParams{Credential: descriptor(p)})
		if err != nil && len(gone.IDs) == 0 {
			return nil, err
		}
		if err != nil {
			gone.Refusal = a.refusal(err)
			break
		}
		gone.IDs = append(gone.IDs, id(p))
	}
	return gone, nil
}

// Confirmation is what the person types to delete these: the service's name, or how
// many where there are several services.
func Confirmation(passkeys []ctap.Passkey) string {
	for _, p := range passkeys {
		if p.RPID != passkeys[0].RPID {
			return fmt.Sprintf("delete %d passkeys", len(passkeys))
		}
	}
	return prompt.Service(passkeys[0].RPID)
}

// find looks passkeys up by their IDs; all of them must be there.
func find(ctx context.Context, c ctap.Authenticator, ids Pick) ([]ctap.Passkey, error) {
	all, err := ctap.ReadPasskeys(ctx, c)
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	var found []ctap.Passkey
	for _, p := range all {
		if wanted[id(p)] {
			found = append(found, p)
		}
	}
	if len(found) == 0 || len(found) != len(wanted) {
		return nil, ctap.NoCredentials
	}
	return found, nil
}

// permitManaging gets a token to manage passkeys, for one relying party where that is
// enough.
func permitManaging(ctx context.Context, c ctap.Authenticator, pin []byte, passkeys []ctap.Passkey) (pinuv.Token, error) {
	rpID := passkeys[0].RPID
	for _, p := range passkeys {
		if p.RPID != rpID {
			rpID = ""
			break
		}
	}
	return permit(ctx, c, pin, ctap.PermissionCredentialManagement, rpID)
}

// permit gets a token by the PIN, which it wipes, or by a finger where that stands
// for it.
func permit(ctx context.Context, c ctap.Authenticator, pin []byte, permission ctap.Permission, rpID string) (pinuv.Token, error) {
	typed := secret.Of(pin)
	defer typed.Wipe()
	platform := ctap.Platform{Authenticator: c, Protocol: pinuv.Two}
	status, err := ctap.Call[ctap.StatusResponse](ctx, c, ctap.CommandStatus, nil)
	switch {
	case err != nil:
		return pinuv.Token{}, err
	case status.Prompt == ctap.PromptTouchID:
		return platform.TokenWithUV(ctx, permission, rpID)
	default:
		return platform.TokenWithPIN(ctx, typed, permission, rpID)
	}
}

func descriptor(p ctap.Passkey) *ctap.Descriptor {
	return &ctap.Descriptor{ID: p.CredentialID, Type: ctap.PublicKeyType}
}

func id(p ctap.Passkey) string { return fmt.Sprintf("%x", p.CredentialID) }
