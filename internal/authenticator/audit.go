package authenticator

import (
	"context"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// note takes down what was done with c.
func (a *Authenticator) note(ctx context.Context, event ctap.AuditEvent, c *Credential) {
	a.store.Note(ctap.NewAuditEntry(ctx, event, c.RP.ID, c.User.Name))
}
