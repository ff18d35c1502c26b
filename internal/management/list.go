package management

import (
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/credential"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// maxPage bounds one page of a listing, and so the answer's size.
const maxPage = 500

// List answers ctap.CommandList. It reads the store only, and waits for nobody's
// turn: a listing works while a question is open.
func (m *Manager) List(params cbor.Raw) (cbor.Raw, error) {
	return answer(params, m.list)
}

func (m *Manager) list(req ctap.ListRequest) (*ctap.ListResponse, error) {
	if req.RPID != "" {
		return m.listOf(req.RPID)
	}
	if req.Limit == 0 || req.Limit > maxPage {
		req.Limit = maxPage
	}
	count, err := m.Store.Count()
	if err != nil {
		return nil, err
	}
	response := ctap.ListResponse{Total: uint(max(0, count))}
	cursor, err := m.skip(req.Cursor, req.Offset)
	if err != nil || cursor == 0 && req.Offset > 0 {
		return &response, err
	}
	page, next, err := m.Store.Page(cursor, int(req.Limit))
	for _, c := range page {
		response.Passkeys = append(response.Passkeys, passkey(c))
	}
	response.Next = next
	return &response, err
}

// listOf lists what is of one relying party, as much as an answer holds.
func (m *Manager) listOf(rpID string) (*ctap.ListResponse, error) {
	found, err := m.Store.ByRP(webauthn.RPIDHash(rpID))
	if err != nil {
		return nil, err
	}
	response := ctap.ListResponse{Total: uint(len(found))}
	for _, c := range found[:min(len(found), maxPage)] {
		response.Passkeys = append(response.Passkeys, passkey(c))
	}
	return &response, nil
}

// skip gives the cursor that many credentials on, 0 for the end.
func (m *Manager) skip(cursor uint64, offset uint) (uint64, error) {
	for offset > 0 {
		step := min(offset, maxPage)
		_, next, err := m.Store.Page(cursor, int(step))
		if err != nil || next == 0 {
			return 0, err
		}
		cursor, offset = next, offset-step
	}
	return cursor, nil
}

func passkey(c *credential.Credential) ctap.Passkey {
	p := ctap.Passkey{
		CredentialID:      c.ID,
		RPID:              c.RP.ID,
		RPName:            c.RP.Name,
		User:              c.User,
		Created:           c.Created.Unix(),
		Uses:              c.Uses,
		SignCount:         c.SignCount,
		Discoverable:      c.Discoverable,
		CredProtect:       uint(c.Protection),
		PINBound:          c.Key.Binding == credential.PINBound,
		HMACSecret:        len(c.MACWithUV) > 0,
		Algorithm:         int64(c.Key.Public.Algorithm),
		AAGUID:            c.AAGUID,
		BackupEligible:    c.Backup&webauthn.FlagBE != 0,
		BackedUp:          c.Backup&webauthn.FlagBS != 0,
		BlobBytes:         uint(len(c.Blob)),
		ThirdPartyPayment: c.ThirdPartyPayment,
		Hidden:            c.Hidden,
		LargeBlobKey:      len(c.LargeBlobKey) > 0,
	}
	if !c.LastUsed.IsZero() {
		p.LastUsed = c.LastUsed.Unix()
	}
	return p
}
