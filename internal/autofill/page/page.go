package page

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/manager"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/provider"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// maxName is how much of a name is shown, in code points.
const maxName = 64

// Backend answers the page from the provider.
type Backend struct {
	Provider *provider.Provider
	// Confirm asks for a finger, for reason, before anything is renamed or deleted.
	Confirm func(ctx context.Context, reason string) error
	Version string
}

var _ manager.Backend = Backend{}

// Opener opens a link in the person's browser; clean undoes what that took.
type Opener func(ctx context.Context, url string) (clean func() error, err error)

// Show shows the passkeys in the person's browser until the page is closed.
func (b Backend) Show(ctx context.Context, open Opener) (err error) {
	server, err := manager.Open(ctx, b)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close(ctx)) }()
	clean, err := open(ctx, server.URL())
	if err != nil {
		return &ctap.Problem{Status: ctap.Other, What: "your browser cannot be opened", Hint: "LocalPasskey list shows the passkeys too", Cause: err}
	}
	defer func() { err = errors.Join(err, clean()) }()
	return server.Wait(ctx)
}

// Call answers the call of that name. ok tells whether the answer is one, or a
// manager.Refusal.
func (b Backend) Call(ctx context.Context, name string, body []byte) (answer []byte, ok bool) {
	result, err := b.dispatch(ctx, name, body)
	if err != nil {
		result = refusal(err)
	}
	encoded, encodeErr := json.Marshal(result)
	if encodeErr != nil {
		return []byte(`{"error":"the answer cannot be written"}`), false
	}
	return encoded, err == nil
}

func refusal(err error) *manager.Refusal {
	p, ok := errors.AsType[*ctap.Problem](err)
	switch {
	case ok:
		return &manager.Refusal{Error: p.What, Hint: p.Hint}
	case errors.Is(err, ctap.NoCredentials):
		return &manager.Refusal{Error: "there is no such passkey any more"}
	default:
		return &manager.Refusal{Error: "it did not work", Hint: err.Error()}
	}
}

func (b Backend) dispatch(ctx context.Context, name string, body []byte) (any, error) {
	switch name {
	case "state":
		return manager.State{
			Version: b.Version, SetUp: true, PINSet: true, Retries: 8, Finger: true, // the finger stands for a PIN
			Hardware: "Secure Enclave; macOS offers these passkeys, and reports them as synced, which they are not",
		}, nil
	case "passkeys":
		return b.shown(ctx)
	case "history":
		return manager.History{Entries: []manager.Entry{}}, nil // the signed app keeps none
	case "settings":
		return manager.Settings{AlwaysUV: true}, nil
	case "rename":
		return with(body, func(r *manager.RenameRequest) (struct{}, error) { return struct{}{}, b.rename(ctx, r) })
	case "hide":
		return with(body, func(r *manager.HideRequest) (struct{}, error) { return struct{}{}, b.hide(ctx, r) })
	case "delete":
		return with(body, func(r *manager.DeleteRequest) (*manager.Deleted, error) { return b.remove(ctx, r) })
	default:
		return nil, &ctap.Problem{What: "the signed app cannot do this", Hint: "`localpasskey`, without a signature, can"}
	}
}

// with decodes a request and acts on it.
func with[Q, R any](body []byte, act func(*Q) (R, error)) (any, error) {
	req := new(Q)
	if err := manager.Decode(body, req); err != nil {
		return nil, err
	}
	return act(req)
}

// shown are the passkeys as the page has them.
func (b Backend) shown(ctx context.Context) ([]manager.Passkey, error) {
	all, err := b.Provider.Passkeys(ctx)
	if err != nil {
		return nil, err
	}
	out := []manager.Passkey{}
	for _, p := range all {
		one := manager.Passkey{
			ID: hex.EncodeToString(p.ID), Service: prompt.Service(p.RPID), URL: manager.Address(p.RPID), UserName: prompt.Legible(p.UserName, maxName),
			Created: p.Created.Unix(), SignCount: p.SignCount, Uses: uint64(p.SignCount), Discoverable: true, PINBound: true, CredProtect: 1,
			AAGUID: webauthn.AAGUID{}.String(), Algorithm: "ES256 (ECDSA, P-256)", Flags: "BE=1 BS=1", Hidden: p.Hidden, Extensions: []string{},
		}
		if p.Broken {
			one.CallsItself = "(its key is gone: delete it)"
		}
		out = append(out, one)
	}
	return out, nil
}

// chosen finds passkeys by their IDs; all of them must be there.
func (b Backend) chosen(ctx context.Context, ids manager.Pick) ([]provider.Passkey, error) {
	all, err := b.Provider.Passkeys(ctx)
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	var found []provider.Passkey
	for _, p := range all {
		if wanted[hex.EncodeToString(p.ID)] {
			found = append(found, p)
		}
	}
	if len(found) == 0 || len(found) != len(wanted) {
		return nil, ctap.NoCredentials
	}
	return found, nil
}

func (b Backend) rename(ctx context.Context, req *manager.RenameRequest) error {
	found, err := b.chosen(ctx, manager.Pick{req.ID})
	if err != nil {
		return err
	}
	if len(req.UserName) > ctap.MaxNameBytes {
		return &ctap.Problem{What: fmt.Sprintf("the name has %d bytes, more than %d", len(req.UserName), ctap.MaxNameBytes), Hint: "choose a shorter one"}
	}
	if err := b.Confirm(ctx, "rename your passkey for "+prompt.Service(found[0].RPID)); err != nil {
		return err
	}
	return b.Provider.Rename(ctx, found[0].ID, req.UserName)
}

func (b Backend) hide(ctx context.Context, req *manager.HideRequest) error {
	found, err := b.chosen(ctx, req.IDs)
	if err != nil {
		return err
	}
	for _, p := range found {
		if err := b.Provider.Hide(ctx, p.ID, req.Hidden); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes passkeys, one after the other, once what the page asked for was typed
// and a finger confirms it.
func (b Backend) remove(ctx context.Context, req *manager.DeleteRequest) (*manager.Deleted, error) {
	found, err := b.chosen(ctx, req.IDs)
	if err != nil {
		return nil, err
	}
	var named []ctap.Passkey
	for _, p := range found {
		named = append(named, ctap.Passkey{RPID: p.RPID})
	}
	if req.Typed != manager.Confirmation(named) {
		return nil, &ctap.Problem{What: "what was typed is not what the page asked for; nothing was deleted"}
	}
	if err := b.Confirm(ctx, deletion(found)); err != nil {
		return nil, err
	}
	gone := &manager.Deleted{IDs: manager.Pick{}}
	for _, p := range found {
		err := b.Provider.Delete(ctx, p.ID)
		if err != nil && len(gone.IDs) == 0 {
			return nil, err
		}
		if err != nil {
			gone.Refusal = refusal(err)
			break
		}
		gone.IDs = append(gone.IDs, hex.EncodeToString(p.ID))
	}
	return gone, nil
}

// deletion says what is deleted, as the end of "LocalPasskey is trying to …".
func deletion(found []provider.Passkey) string {
	if len(found) == 1 {
		return "DELETE your passkey for " + prompt.Service(found[0].RPID) + " for good"
	}
	return fmt.Sprintf("DELETE %d passkeys for good", len(found))
}
