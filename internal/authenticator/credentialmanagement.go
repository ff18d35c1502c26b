package authenticator

import (
	"bytes"
	"context"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// What an enumeration leaves for its "next" sub-command.
type (
	remainingRPs         struct{ rest []ctap.RelyingParty }
	remainingCredentials struct{ rest []*Credential }
)

// CredentialManagement is authenticatorCredentialManagement (CTAP 2.3 §6.8).
func (ch *Channel) CredentialManagement(ctx context.Context, req *ctap.CredentialManagementRequest) (*ctap.CredentialManagementResponse, error) {
	return continued(ctx, ch, "credentialManagement", func(context.Context) (*ctap.CredentialManagementResponse, error) {
		if req.Subcommand == ctap.EnumerateRPsGetNextRP {
			return ch.nextRP()
		}
		if req.Subcommand == ctap.EnumerateCredentialsGetNextCredential {
			return ch.nextCredential()
		}
		ch.discard()
		return ch.manage(req)
	})
}

func (ch *Channel) manage(req *ctap.CredentialManagementRequest) (*ctap.CredentialManagementResponse, error) {
	switch req.Subcommand {
	case ctap.GetCredsMetadata, ctap.EnumerateRPsBegin, ctap.EnumerateCredentialsBegin,
		ctap.DeleteCredential, ctap.UpdateUserInformation:
	case 0:
		return nil, ctap.MissingParameter
	default:
		return nil, ctap.InvalidSubcommand
	}
	var params ctap.CredentialManagementParams
	if len(req.Params) > 0 {
		if err := cbor.Unmarshal(req.Params, &params); err != nil {
			return nil, err
		}
	}
	allowed, err := ch.a.authorizeManagement(req)
	if err != nil {
		return nil, err
	}
	switch req.Subcommand {
	case ctap.GetCredsMetadata:
		return ch.a.credsMetadata(allowed)
	case ctap.EnumerateRPsBegin:
		return ch.enumerateRPs(allowed)
	case ctap.EnumerateCredentialsBegin:
		return ch.enumerateCredentials(allowed, &params)
	case ctap.DeleteCredential:
		return nil, ch.a.deleteCredential(allowed, &params)
	default:
		return nil, ch.a.updateUser(allowed, &params)
	}
}

// allowance is what a token permits here: everything, or one relying party.
type allowance struct{ rpID string }

// covers tells whether the token reaches an RP. A token without an RP reaches
// all (§6.8.2: "no permissions RP ID").
func (w allowance) covers(rpIDHash [32]byte) bool {
	return w.rpID == "" || webauthn.RPIDHash(w.rpID) == rpIDHash
}

// authorizeManagement checks pinUvAuthParam over the sub-command and its
// parameters (§6.8.2–§6.8.6).
func (a *Authenticator) authorizeManagement(req *ctap.CredentialManagementRequest) (allowance, error) {
	if req.PINUVAuthParam == nil {
		return allowance{}, ctap.PUATRequired
	}
	switch {
	case req.PINUVAuthProtocol == 0:
		return allowance{}, ctap.MissingParameter
	case !req.PINUVAuthProtocol.Valid():
		return allowance{}, ctap.InvalidParameter
	}
	message := append([]byte{byte(req.Subcommand)}, req.Params...)
	t, err := a.gate.VerifyToken(req.PINUVAuthProtocol, req.PINUVAuthParam, message, ctap.PermissionCredentialManagement)
	if err != nil {
		return allowance{}, err
	}
	return allowance{rpID: t.RPID()}, nil
}

// credsMetadata is getCredsMetadata (§6.8.2).
func (a *Authenticator) credsMetadata(w allowance) (*ctap.CredentialManagementResponse, error) {
	if w.rpID != "" {
		return nil, ctap.PINAuthInvalid
	}
	existing, all := uint(0), uint(0)
	for c, err := range a.store.Each() {
		if err != nil {
			return nil, err
		}
		if all++; c.Discoverable {
			existing++
		}
	}
	left := maxCredentials - min(all, maxCredentials)
	return &ctap.CredentialManagementResponse{ExistingCount: &existing, RemainingCount: &left}, nil
}

// enumerateRPs is enumerateRPsBegin (§6.8.3), in the order of first registration.
func (ch *Channel) enumerateRPs(w allowance) (*ctap.CredentialManagementResponse, error) {
	if w.rpID != "" {
		return nil, ctap.PINAuthInvalid
	}
	var rps []ctap.RelyingParty
	seen := map[string]bool{}
	for c, err := range ch.a.store.Each() {
		if err != nil {
			return nil, err
		}
		if c.Discoverable && !seen[c.RP.ID] {
			seen[c.RP.ID] = true
			rps = append(rps, c.RP)
		}
	}
	if len(rps) == 0 {
		return nil, ctap.NoCredentials
	}
	total := uint(len(rps))
	ch.pending = &remainingRPs{rest: rps}
	response, err := ch.nextRP()
	if response != nil {
		response.TotalRPs = &total
	}
	return response, err
}

// nextRP is enumerateRPsGetNextRP (§6.8.3).
func (ch *Channel) nextRP() (*ctap.CredentialManagementResponse, error) {
	left, ok := ch.pending.(*remainingRPs)
	if !ok {
		ch.discard()
		return nil, ctap.NotAllowed
	}
	rp := left.rest[0]
	if left.rest = left.rest[1:]; len(left.rest) == 0 {
		ch.pending = nil
	}
	hash := webauthn.RPIDHash(rp.ID)
	return &ctap.CredentialManagementResponse{RP: &rp, RPIDHash: hash[:]}, nil
}

// enumerateCredentials is enumerateCredentialsBegin (§6.8.4), newest first.
func (ch *Channel) enumerateCredentials(w allowance, params *ctap.CredentialManagementParams) (*ctap.CredentialManagementResponse, error) {
	if params.RPIDHash == nil {
		return nil, ctap.MissingParameter
	}
	if len(params.RPIDHash) != 32 {
		return nil, ctap.InvalidParameter
	}
	hash := [32]byte(params.RPIDHash)
	if !w.covers(hash) {
		return nil, ctap.PINAuthInvalid
	}
	all, err := ch.a.store.ByRP(hash)
	if err != nil {
		return nil, err
	}
	var found []*Credential
	for _, c := range all {
		if c.Discoverable {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return nil, ctap.NoCredentials
	}
	total := uint(len(found))
	ch.pending = &remainingCredentials{rest: found}
	response, err := ch.nextCredential()
	if response != nil {
		response.TotalCredentials = &total
	}
	return response, err
}

// nextCredential is enumerateCredentialsGetNextCredential (§6.8.4).
func (ch *Channel) nextCredential() (*ctap.CredentialManagementResponse, error) {
	left, ok := ch.pending.(*remainingCredentials)
	if !ok {
		ch.discard()
		return nil, ctap.NotAllowed
	}
	c := left.rest[0]
	if left.rest = left.rest[1:]; len(left.rest) == 0 {
		ch.pending = nil
	}
	protection := uint(c.Protection)
	return &ctap.CredentialManagementResponse{
		User:        &c.User,
		Credential:  &ctap.Descriptor{ID: c.ID, Type: ctap.PublicKeyType},
		PublicKey:   &c.Key.Public,
		CredProtect: &protection,
	}, nil
}

// deleteCredential is §6.8.5. It takes credentials that are not discoverable too:
// the listing on the socket shows them.
func (a *Authenticator) deleteCredential(w allowance, params *ctap.CredentialManagementParams) error {
	c, err := a.managed(w, params)
	if err != nil {
		return err
	}
	return a.store.Delete(c.ID)
}

// updateUser is updateUserInformation (§6.8.6): names only; an absent name is
// removed.
func (a *Authenticator) updateUser(w allowance, params *ctap.CredentialManagementParams) error {
	if params.User == nil || params.User.ID == nil {
		return ctap.MissingParameter
	}
	c, err := a.managed(w, params)
	if err != nil {
		return err
	}
	if !bytes.Equal(c.User.ID, params.User.ID) {
		return ctap.InvalidParameter
	}
	c.User.Name, c.User.DisplayName = cut(params.User.Name), cut(params.User.DisplayName)
	return a.store.Put(c)
}

// managed finds the credential a sub-command names, if the token reaches it.
func (a *Authenticator) managed(w allowance, params *ctap.CredentialManagementParams) (*Credential, error) {
	if params.Credential == nil || params.Credential.ID == nil {
		return nil, ctap.MissingParameter
	}
	c, err := a.store.ByID(params.Credential.ID)
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
