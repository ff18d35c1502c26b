package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/localpasskey/localpasskey/internal/cli/exit"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// Exit codes. Scripts rely on them: they are in `localpasskey --help`.
const (
	codeOK          = exit.OK
	codeFailed      = exit.Failed
	codeUsage       = exit.Usage
	codeNotFound    = exit.NotFound
	codeRefused     = exit.Refused
	codeUnavailable = exit.Unavailable
	codePIN         = exit.PIN
)

// maxText bounds an error's length, in code points.
const maxText = 1000

// failure is an error for a person: what happened, what to do, and the exit code.
type failure struct {
	what, hint string
	code       int
}

func (f *failure) Error() string { return f.what }

// print writes it as every error of ours looks. Its words may be a daemon's, so
// they are made harmless.
func (f *failure) print(w io.Writer) {
	fmt.Fprintf(w, "localpasskey: %s\n", prompt.Legible(f.what, maxText))
	if f.hint != "" {
		fmt.Fprintf(w, "hint: %s\n", prompt.Legible(f.hint, maxText))
	}
}

// explain makes a failure of any error.
func (r *run) explain(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if e, ok := errors.AsType[*exit.Error](err); ok {
		return &failure{what: e.What, hint: e.Hint, code: e.Code}
	}
	if problem, ok := errors.AsType[*ctap.Problem](err); ok {
		return &failure{what: problem.What, hint: problem.Hint, code: codeUnavailable}
	}
	if status, ok := errors.AsType[ctap.Status](err); ok {
		return r.ofStatus(status)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &failure{what: "interrupted", code: codeRefused}
	case errors.Is(err, errRefused), errors.Is(err, prompt.ErrNoAnswer):
		return &failure{what: "cancelled, nothing was changed", code: codeRefused}
	default:
		return &failure{what: err.Error(), code: codeFailed}
	}
}

// ofStatus puts an answer into words.
func (r *run) ofStatus(status ctap.Status) *failure {
	switch status {
	case ctap.NoCredentials:
		return noSuchPasskey()
	case ctap.UserActionTimeout, ctap.ActionTimeout:
		return &failure{what: "nobody answered in time", code: codeRefused}
	case ctap.KeepaliveCancel:
		return &failure{what: "cancelled", code: codeRefused}
	default:
		e := r.words.Said(status)
		return &failure{what: e.What, hint: e.Hint, code: e.Code}
	}
}

func noSuchPasskey() *failure {
	return &failure{what: "there is no such passkey", hint: "`localpasskey list` shows what there is", code: codeNotFound}
}
