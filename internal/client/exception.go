package client

import (
	"errors"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// ErrBrowser leaves a request to the browser's own function, with its own prompt.
var ErrBrowser = errors.New("left to the browser")

// Exception is what a page's call is rejected with: a DOMException of that name, or a
// TypeError.
type Exception struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

// Error gives both.
func (e *Exception) Error() string { return e.Name + ": " + e.Message }

// From the specification: §5.1.3, §5.1.4 (Web IDL §2.8.1).
const (
	typeError         = "TypeError"
	notAllowedError   = "NotAllowedError"
	notSupportedError = "NotSupportedError"
	invalidStateError = "InvalidStateError"
	syntaxError       = "SyntaxError"
)

// notAllowed is every refusal that a page must not tell from another (§14.5.1).
func notAllowed() error {
	return &Exception{notAllowedError, "The request was not allowed, or nobody answered in time."}
}

// outcome is what an authenticator's error means for the page. The person who refuses at
// our prompt has another device in mind, which the browser then offers.
func outcome(err error) error {
	if err == nil {
		return nil
	}
	if _, ours := errors.AsType[*Exception](err); ours || errors.Is(err, ErrBrowser) {
		return err
	}
	switch ctap.StatusOf(err) {
	case ctap.CredentialExcluded:
		return &Exception{invalidStateError, "The user has a passkey of this account here already."}
	case ctap.UnsupportedAlgorithm:
		return unsupportedAlgorithms()
	case ctap.OperationDenied, ctap.NoCredentials, ctap.KeyStoreFull, ctap.PUATRequired:
		return ErrBrowser
	default:
		return notAllowed()
	}
}

func unsupportedAlgorithms() error {
	return &Exception{notSupportedError, "None of the algorithms in pubKeyCredParams is supported."}
}
