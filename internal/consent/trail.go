package consent

import (
	"context"
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// note takes down what the caller in ctx has asked for.
func (g *Gate) note(ctx context.Context, event ctap.AuditEvent, rpID, account, detail string) {
	e := ctap.NewAuditEntry(ctx, event, rpID, account)
	e.Detail = detail
	g.Trail.Note(e)
}

// noteWrongPIN takes down a PIN that the hardware has refused, for rpID where it was for
// one. The caller holds the turn.
func (g *Gate) noteWrongPIN(rpID string, w *WrongPIN) {
	if w.Retries == 0 {
		g.note(g.request, ctap.AuditPINLocked, rpID, "", "")
		return
	}
	g.note(g.request, ctap.AuditPINWrong, rpID, "", fmt.Sprintf("%d tries left", w.Retries))
}

// noteRefusal takes down a question that ended without a yes, unless something other
// than the person ended it.
func (g *Gate) noteRefusal(ctx context.Context, ask Ask, err error) {
	detail := string(ask.Operation)
	switch {
	case errors.Is(err, ctap.OperationDenied):
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, ctap.UserActionTimeout):
		detail += ": nobody answered"
	default:
		return
	}
	account := ""
	if len(ask.Accounts) > 0 {
		account = ask.Accounts[0].Name
	}
	g.note(ctx, ctap.AuditRefused, ask.RP.ID, account, detail)
}
