package management

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/consent"
	"github.com/localpasskey/localpasskey/internal/credential"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// Store is what management needs of the store. What a method that returns an
// error has done is durable when it returns nil.
type Store interface {
	credential.Reader
	credential.Pager
	Put(c *credential.Credential, replaced ...[]byte) error
	Delete(id []byte, entries ...ctap.AuditEntry) error
	consent.Trail
	// Audit gives a page of the audit trail.
	Audit(req ctap.AuditRequest) (*ctap.AuditResponse, error)
}

// Manager manages the credentials of one store.
type Manager struct {
	Store Store
	Gate  *consent.Gate
	// Capacity is how many credentials there can be.
	Capacity uint
}

// What an enumeration leaves for its "next" sub-command.
type (
	remainingRPs         struct{ rest []ctap.RelyingParty }
	remainingCredentials struct{ rest []*credential.Credential }
)

// Handle carries out one request. pending is what the command before left on the
// same channel, and rest what this one leaves.
func (m *Manager) Handle(ctx context.Context, req *ctap.CredentialManagementRequest, pending any) (response *ctap.CredentialManagementResponse, rest any, err error) {
	switch req.Subcommand {
	case ctap.EnumerateRPsGetNextRP:
		if left, ok := pending.(*remainingRPs); ok {
			return left.next()
		}
		return nil, nil, ctap.NotAllowed
	case ctap.EnumerateCredentialsGetNextCredential:
		if left, ok := pending.(*remainingCredentials); ok {
			return left.next()
		}
		return nil, nil, ctap.NotAllowed
	case ctap.GetCredsMetadata, ctap.EnumerateRPsBegin, ctap.EnumerateCredentialsBegin,
		ctap.DeleteCredential, ctap.UpdateUserInformation:
		return m.authorized(ctx, req)
	case 0:
		return nil, nil, ctap.MissingParameter
	default:
		return nil, nil, ctap.InvalidSubcommand
	}
}

// authorized carries out the sub-commands that need a token.
func (m *Manager) authorized(ctx context.Context, req *ctap.CredentialManagementRequest) (response *ctap.CredentialManagementResponse, rest any, err error) {
	var params ctap.CredentialManagementParams
	if len(req.Params) > 0 {
		if err := cbor.Unmarshal(req.Params, &params); err != nil {
			return nil, nil, err
		}
	}
	allowed, err := m.authorize(req)
	if err != nil {
		return nil, nil, err
	}
	switch req.Subcommand {
	case ctap.GetCredsMetadata:
		response, err = m.metadata(allowed)
		return response, nil, err
	case ctap.EnumerateRPsBegin:
		return m.enumerateRPs(allowed)
	case ctap.EnumerateCredentialsBegin:
		return m.enumerateCredentials(allowed, &params)
	case ctap.DeleteCredential:
		return nil, nil, m.remove(ctx, allowed, &params)
	default:
		return nil, nil, m.updateUser(ctx, allowed, &params)
	}
}

// allowance is what a token permits here: everything, or one relying party.
type allowance struct{ rpID string }

// covers tells whether the token reaches an RP. A token without an RP reaches
// all (§6.8.2: "no permissions RP ID").
func (w allowance) covers(rpIDHash [32]byte) bool {
	return w.rpID == "" || webauthn.RPIDHash(w.rpID) == rpIDHash
}

// authorize checks pinUvAuthParam over the sub-command and its
// parameters (§6.8.2–§6.8.6).
func (m *Manager) authorize(req *ctap.CredentialManagementRequest) (allowance, error) {
	if err := ctap.CheckToken(req.PINUVAuthProtocol, req.PINUVAuthParam); err != nil {
		return allowance{}, err
	}
	message := append([]byte{byte(req.Subcommand)}, req.Params...)
	if readOnly(req.Subcommand) {
		persistent, err := m.Gate.VerifyPersistent(req.PINUVAuthProtocol, req.PINUVAuthParam, message)
		if err != nil || persistent {
			return allowance{}, err
		}
	}
	t, err := m.Gate.VerifyToken(req.PINUVAuthProtocol, req.PINUVAuthParam, message, ctap.PermissionCredentialManagement)
	if err != nil {
		return allowance{}, err
	}
	return allowance{rpID: t.RPID()}, nil
}

// readOnly tells the sub-commands that the persistent token permits (§6.8, pcmr).
func readOnly(sub ctap.CredentialSubcommand) bool {
	switch sub {
	case ctap.GetCredsMetadata, ctap.EnumerateRPsBegin, ctap.EnumerateCredentialsBegin:
		return true
	default:
		return false
	}
}

// metadata is getCredsMetadata (§6.8.2).
func (m *Manager) metadata(w allowance) (*ctap.CredentialManagementResponse, error) {
	if w.rpID != "" {
		return nil, ctap.PINAuthInvalid
	}
	existing, all := uint(0), uint(0)
	for c, err := range m.Store.Each() {
		if err != nil {
			return nil, err
		}
		if all++; c.Discoverable {
			existing++
		}
	}
	left := m.Capacity - min(all, m.Capacity)
	return &ctap.CredentialManagementResponse{ExistingCount: &existing, RemainingCount: &left}, nil
}

// enumerateRPs is enumerateRPsBegin (§6.8.3), in the order of first registration.
func (m *Manager) enumerateRPs(w allowance) (response *ctap.CredentialManagementResponse, rest any, err error) {
	if w.rpID != "" {
		return nil, nil, ctap.PINAuthInvalid
	}
	var rps []ctap.RelyingParty
	seen := map[string]bool{}
	for c, err := range m.Store.Each() {
		if err != nil {
			return nil, nil, err
		}
		if c.Discoverable && !seen[c.RP.ID] {
			seen[c.RP.ID] = true
			rps = append(rps, c.RP)
		}
	}
	if len(rps) == 0 {
		return nil, nil, ctap.NoCredentials
	}
	total := uint(len(rps))
	response, rest, err = (&remainingRPs{rest: rps}).next()
	response.TotalRPs = &total
	return response, rest, err
}

// next is enumerateRPsGetNextRP (§6.8.3).
func (r *remainingRPs) next() (response *ctap.CredentialManagementResponse, rest any, err error) {
	rp := r.rest[0]
	hash := webauthn.RPIDHash(rp.ID)
	response = &ctap.CredentialManagementResponse{RP: &rp, RPIDHash: hash[:]}
	if r.rest = r.rest[1:]; len(r.rest) == 0 {
		return response, nil, nil
	}
	return response, r, nil
}

// enumerateCredentials is enumerateCredentialsBegin (§6.8.4), newest first.
func (m *Manager) enumerateCredentials(w allowance, params *ctap.CredentialManagementParams) (response *ctap.CredentialManagementResponse, rest any, err error) {
	if params.RPIDHash == nil {
		return nil, nil, ctap.MissingParameter
	}
	if len(params.RPIDHash) != sha256.Size {
		return nil, nil, ctap.InvalidParameter
	}
	hash := [sha256.Size]byte(params.RPIDHash)
	if !w.covers(hash) {
		return nil, nil, ctap.PINAuthInvalid
	}
	found, err := m.Store.ByRP(hash)
	if err != nil {
		return nil, nil, err
	}
	found = slices.DeleteFunc(found, func(c *credential.Credential) bool { return !c.Discoverable })
	if len(found) == 0 {
		return nil, nil, ctap.NoCredentials
	}
	total := uint(len(found))
	response, rest, err = (&remainingCredentials{rest: found}).next()
	response.TotalCredentials = &total
	return response, rest, err
}

// next is enumerateCredentialsGetNextCredential (§6.8.4).
func (r *remainingCredentials) next() (response *ctap.CredentialManagementResponse, rest any, err error) {
	c := r.rest[0]
	protection := uint(c.Protection)
	response = &ctap.CredentialManagementResponse{
		User:              &c.User,
		Credential:        &ctap.Descriptor{ID: c.ID, Type: ctap.PublicKeyType},
		PublicKey:         &c.Key.Public,
		CredProtect:       &protection,
		LargeBlobKey:      c.LargeBlobKey,
		ThirdPartyPayment: &c.ThirdPartyPayment,
	}
	if r.rest = r.rest[1:]; len(r.rest) == 0 {
		return response, nil, nil
	}
	return response, r, nil
}

// remove is deleteCredential (§6.8.5). It takes credentials that are not discoverable too:
// the listing on the socket shows them.
func (m *Manager) remove(ctx context.Context, w allowance, params *ctap.CredentialManagementParams) error {
	c, err := m.managed(w, params)
	if err != nil {
		return err
	}
	return m.Store.Delete(c.ID, ctap.NewAuditEntry(ctx, ctap.AuditDeleted, c.RP.ID, c.User.Name))
}

// updateUser is updateUserInformation (§6.8.6): names only; an absent name is
// removed.
func (m *Manager) updateUser(ctx context.Context, w allowance, params *ctap.CredentialManagementParams) error {
	if params.User == nil || params.User.ID == nil {
		return ctap.MissingParameter
	}
	c, err := m.managed(w, params)
	if err != nil {
		return err
	}
	if !bytes.Equal(c.User.ID, params.User.ID) {
		return ctap.InvalidParameter
	}
	_, err = m.rename(ctx, c, params.User.Name, params.User.DisplayName)
	return err
}

// managed finds the credential a sub-command names, if the token reaches it.
func (m *Manager) managed(w allowance, params *ctap.CredentialManagementParams) (*credential.Credential, error) {
	if params.Credential == nil || params.Credential.ID == nil {
		return nil, ctap.MissingParameter
	}
	c, err := m.Store.ByID(params.Credential.ID)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, ctap.NoCredentials
	}
	if !w.covers(c.Key.RPIDHash) {
		return nil, ctap.PINAuthInvalid
	}
	return c, nil
}
