package touchid

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/macos/gesture"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// Ours: what fits on the sheet, in code points.
const (
	maxAccount = 64
	maxLosses  = 3
)

// Sensor shows the system's sheet.
type Sensor interface {
	// Ask shows reason and waits for the person. A refusal is a *macos.Error; a dead
	// context takes the sheet away.
	Ask(ctx context.Context, reason string) (*gesture.Gesture, error)
}

// User is the person at this Mac's Touch ID.
type User struct {
	Sensor Sensor
	// Choose has the person pick one of several accounts, nil where there is no way
	// to: then several are refused.
	Choose func(ctx context.Context, ask authenticator.Ask) (int, error)
}

var _ authenticator.User = User{}

// Approve asks. See consent.User for what it promises.
func (u User) Approve(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	account, err := u.account(ctx, ask)
	if err != nil {
		return authenticator.Approval{}, err
	}
	reason, ok := Reason(ask, account)
	if !ok {
		return authenticator.Approval{}, ctap.OperationDenied // nothing is approved that cannot be said
	}
	made, err := u.Sensor.Ask(ctx, reason)
	if err != nil {
		return authenticator.Approval{}, failure(ctx, err)
	}
	if ask.Verify == nil {
		made.End()
		return authenticator.Approval{Account: account}, nil
	}
	if err := ask.Verify(gesture.With(ctx, made), secret.Bytes{}); err != nil {
		made.End()
		return authenticator.Approval{}, failure(ctx, err)
	}
	return authenticator.Approval{Account: account}, nil
}

// Confirm shows the sheet for reason, and wants no more than a yes.
func (u User) Confirm(ctx context.Context, reason string) error {
	made, err := u.Sensor.Ask(ctx, reason)
	if err != nil {
		return failure(ctx, err)
	}
	made.End()
	return nil
}

// failure prefers the context's error: a sheet that was taken away is no refusal.
func failure(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil {
		return errors.Join(cause, err)
	}
	return gesture.Explain(err)
}

// account is the only one, or the person's choice.
func (u User) account(ctx context.Context, ask authenticator.Ask) (int, error) {
	if len(ask.Accounts) <= 1 {
		return 0, nil
	}
	if u.Choose == nil {
		return 0, &ctap.Problem{Status: ctap.OperationDenied, What: "there are several accounts and no way to ask which", Hint: "name the passkey"}
	}
	n, err := u.Choose(ctx, ask)
	if err == nil && (n < 0 || n >= len(ask.Accounts)) {
		return 0, ctap.OperationDenied
	}
	return n, err
}

// Reason says what is asked, as the end of "localpasskey is trying to …". ok is
// false for what it has no words for.
func Reason(ask authenticator.Ask, account int) (reason string, ok bool) {
	service := prompt.Service(ask.RP.ID)
	as := ""
	if account < len(ask.Accounts) {
		as = " as " + prompt.Legible(prompt.Account(ask.Accounts[account]), maxAccount)
	}
	switch ask.Operation {
	case authenticator.OperationRegister:
		reason = "create a passkey for " + service + as
		if ask.Replaces {
			reason += ", which REPLACES the one that is here"
		}
	case authenticator.OperationSignIn:
		reason = "sign in to " + service + as
	case authenticator.OperationExists:
		reason = "tell " + service + " that you have a passkey here" + as
	case authenticator.OperationSelect:
		reason = "find out whether this is the passkey device you mean; nothing is signed"
	case authenticator.OperationRelax:
		reason = "stop demanding Touch ID for every use of a passkey"
	case authenticator.OperationPIN:
		return permissions(ask)
	case authenticator.OperationReset:
		reason = losses(ask)
	default:
		return "", false
	}
	return reason, true
}

// permissions says all that a token permits: no other question follows.
func permissions(ask authenticator.Ask) (string, bool) {
	whose := "all your passkeys"
	if ask.RP.ID != "" {
		whose = "your passkeys for " + prompt.Service(ask.RP.ID)
	}
	var may []string
	for _, one := range []struct {
		permission ctap.Permission
		do         string
	}{
		{ctap.PermissionCredentialManagement, "look through, change and DELETE " + whose},
		{ctap.PermissionConfiguration, "change what is demanded of you"},
		{ctap.PermissionLargeBlobWrite, "overwrite what sites keep here"},
		{ctap.PermissionPersistentReadOnly, "look through all your passkeys from now on"},
		{ctap.PermissionMakeCredential, "create a passkey for " + prompt.Service(ask.RP.ID)},
		{ctap.PermissionGetAssertion, "sign in to " + prompt.Service(ask.RP.ID)},
	} {
		if ask.Permissions&one.permission != 0 {
			may = append(may, one.do)
		}
	}
	if len(may) == 0 {
		return "", false
	}
	return join(may), true
}

func join(all []string) string {
	last := len(all) - 1
	if last == 0 {
		return all[0]
	}
	return strings.Join(all[:last], ", to ") + " and to " + all[last]
}

// losses says what a reset destroys.
func losses(ask authenticator.Ask) string {
	if ask.Lost == 0 {
		return "start over; there are no passkeys to lose"
	}
	text := fmt.Sprintf("DESTROY all %d passkeys for good", ask.Lost)
	var named []string
	for _, loss := range ask.Losses[:min(len(ask.Losses), maxLosses)] {
		named = append(named, prompt.Legible(loss, maxAccount))
	}
	if len(named) == 0 {
		return text
	}
	text += ": " + strings.Join(named, ", ")
	if more := ask.Lost - len(named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
