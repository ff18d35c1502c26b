package management

import (
	"bytes"
	"context"
	"slices"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/credential"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// Vendor answers the socket's commands about what is in the store. Those that read wait
// for nobody; Changes tells which must have their turn.
func (m *Manager) Vendor(ctx context.Context, command ctap.Command, params cbor.Raw) (cbor.Raw, error) {
	switch command {
	case ctap.CommandList:
		return m.List(params)
	case ctap.CommandAudit:
		return answer(params, m.Store.Audit)
	case ctap.CommandSignal:
		return answer(params, func(req ctap.SignalRequest) (*ctap.SignalResponse, error) { return m.signal(ctx, &req) })
	case ctap.CommandHide:
		return answer(params, func(req ctap.HideRequest) (*struct{}, error) { return nil, m.hide(ctx, &req) })
	default:
		return nil, ctap.InvalidCommand
	}
}

// Changes tells whether a command of Vendor changes what is in the store.
func Changes(command ctap.Command) bool {
	return command == ctap.CommandSignal || command == ctap.CommandHide
}

// answer decodes params, which may be absent, and encodes what act makes of them; nil is
// no answer but done.
func answer[Q, R any](params cbor.Raw, act func(Q) (*R, error)) (cbor.Raw, error) {
	var req Q
	if len(params) > 0 {
		if err := cbor.Unmarshal(params, &req); err != nil {
			return nil, err
		}
	}
	response, err := act(req)
	if err != nil || response == nil {
		return nil, err
	}
	return cbor.Marshal(response)
}

// signal does what a relying party's word is good for: its passkeys are hidden, brought
// back or renamed, and never deleted, for a page can be wrong, or not itself.
func (m *Manager) signal(ctx context.Context, req *ctap.SignalRequest) (*ctap.SignalResponse, error) {
	if err := req.Check(); err != nil {
		return nil, err
	}
	found, err := m.Store.ByRP(webauthn.RPIDHash(req.RPID))
	if err != nil {
		return nil, err
	}
	response := &ctap.SignalResponse{}
	for _, c := range found {
		mine := bytes.Equal(c.User.ID, req.UserID)
		var count *uint
		var changed bool
		switch {
		case req.Signal == ctap.SignalUnknownCredential && bytes.Equal(c.ID, req.CredentialID):
			count = &response.Hidden
			changed, err = m.setHidden(ctx, c, true)
		case req.Signal == ctap.SignalAllAcceptedCredentials && mine && c.Discoverable:
			count = &response.Hidden
			accepted := slices.ContainsFunc(req.Accepted, func(id []byte) bool { return bytes.Equal(id, c.ID) })
			if accepted {
				count = &response.Restored
			}
			changed, err = m.setHidden(ctx, c, !accepted)
		case req.Signal == ctap.SignalCurrentUserDetails && mine:
			count = &response.Renamed
			changed, err = m.rename(ctx, c, req.Name, req.DisplayName)
		}
		if err != nil {
			return nil, err
		}
		if changed {
			*count++
		}
	}
	return response, nil
}

// setHidden hides a credential or brings it back, durably, if it is not so already.
func (m *Manager) setHidden(ctx context.Context, c *credential.Credential, hidden bool) (changed bool, err error) {
	if c.Hidden == hidden {
		return false, nil
	}
	c.Hidden = hidden
	if err := m.Store.Put(c); err != nil {
		return false, err
	}
	event := ctap.AuditRestored
	if hidden {
		event = ctap.AuditHidden
	}
	m.Store.Note(ctap.NewAuditEntry(ctx, event, c.RP.ID, c.User.Name))
	return true, nil
}

// rename gives a credential other names, if they are others.
func (m *Manager) rename(ctx context.Context, c *credential.Credential, name, displayName string) (changed bool, err error) {
	name, displayName = credential.CutName(name), credential.CutName(displayName)
	if c.User.Name == name && c.User.DisplayName == displayName {
		return false, nil
	}
	entry := ctap.NewAuditEntry(ctx, ctap.AuditRenamed, c.RP.ID, c.User.Name)
	c.User.Name, c.User.DisplayName = name, displayName
	if err := m.Store.Put(c); err != nil {
		return false, err
	}
	entry.Detail = name
	m.Store.Note(entry)
	return true, nil
}

// hide carries out ctap.CommandHide.
func (m *Manager) hide(ctx context.Context, req *ctap.HideRequest) error {
	c, err := m.Store.ByID(req.CredentialID)
	if err != nil {
		return err
	}
	if c == nil {
		return ctap.NoCredentials
	}
	_, err = m.setHidden(ctx, c, req.Hidden)
	return err
}
