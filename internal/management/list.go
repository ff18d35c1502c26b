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
	var req ctap.ListRequest
	if len(params) > 0 {
		if err := cbor.Unmarshal(params, &req); err != nil {
			return nil, err
		}
	}
	if req.Limit == 0 || req.Limit > maxPage {
		req.Limit = maxPage
	}
	count, err := m.Store.Count()
	if err != nil {
		return nil, err
	}
	response := ctap.ListResponse{Total: uint(max(0, count))}
	position := uint(0)
	for c, err := range m.Store.Each() {
		if err != nil {
			return nil, err
		}
		if position >= req.Offset {
			response.Passkeys = append(response.Passkeys, passkey(c))
		}
		if position++; uint(len(response.Passkeys)) == req.Limit {
			break
		}
	}
	return cbor.Marshal(response)
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
	}
	if !c.LastUsed.IsZero() {
		p.LastUsed = c.LastUsed.Unix()
	}
	return p
}
