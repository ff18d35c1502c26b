package authenticator

import (
	"context"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

// audit answers ctap.CommandAudit. It waits for nobody's turn, as a listing.
func (a *Authenticator) audit(params cbor.Raw) (cbor.Raw, error) {
	var req ctap.AuditRequest
	if len(params) > 0 {
		if err := cbor.Unmarshal(params, &req); err != nil {
			return nil, err
		}
	}
	response, err := a.store.Audit(req)
	if err != nil {
		return nil, err
	}
	return cbor.Marshal(response)
}

// note takes down what was done with c.
func (a *Authenticator) note(ctx context.Context, event ctap.AuditEvent, c *Credential) {
	a.store.Note(ctap.NewAuditEntry(ctx, event, c.RP.ID, c.User.Name))
}
