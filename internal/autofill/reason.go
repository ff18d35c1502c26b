package autofill

import (
	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/provider"
	"github.com/localpasskey/localpasskey/internal/touchid"
)

// Reason says what a person is asked for, in touchid's words.
func Reason(o provider.Operation, rpID, userName string) string {
	ask := authenticator.Ask{RP: ctap.RelyingParty{ID: rpID}, Accounts: []ctap.User{{Name: userName}}, Operation: authenticator.OperationSignIn}
	switch o {
	case provider.OperationRegister:
		ask.Operation = authenticator.OperationRegister
	case provider.OperationReplace:
		ask.Operation, ask.Replaces = authenticator.OperationRegister, true
	case provider.OperationExists:
		ask.Operation = authenticator.OperationExists
	case provider.OperationSignIn:
	}
	reason, _ := touchid.Reason(ask, 0) // these operations all have words
	return reason
}
