package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// farewell is how long a withdrawn question may take to close at the other end.
const farewell = 2 * time.Second

// Remote asks through an agent. It is an authenticator.User, on the daemon's side.
type Remote struct {
	questions ctap.Exchanger
}

var _ authenticator.User = (*Remote)(nil)

// NewRemote asks through questions.
func NewRemote(questions ctap.Exchanger) *Remote { return &Remote{questions: questions} }

// Approve asks. Errors that are no Status and not the context's are the connection's:
// nobody has answered.
func (r *Remote) Approve(ctx context.Context, a authenticator.Ask) (authenticator.Approval, error) {
	answer, err := r.exchange(ctx, request{Question: ask(a)})
	var verified error
	for err == nil && answer.PIN != nil {
		answer, verified, err = r.verify(ctx, a, answer)
	}
	switch {
	case ctx.Err() != nil:
		return authenticator.Approval{}, ctx.Err()
	case err != nil:
		return authenticator.Approval{}, err
	case ctap.Status(answer.Status) == ctap.StatusOK:
		return authenticator.Approval{Account: toInt(answer.Account)}, nil
	case verified != nil && !isWrong(verified):
		return authenticator.Approval{}, verified // which knows more than a status
	default:
		return authenticator.Approval{}, refusal(ctap.Status(answer.Status))
	}
}

// refusal keeps an agent from answering in the authenticator's place.
func refusal(status ctap.Status) ctap.Status {
	switch status {
	case ctap.UserActionTimeout, ctap.KeepaliveCancel:
		return status
	default:
		return ctap.OperationDenied
	}
}

func isWrong(err error) bool {
	_, ok := errors.AsType[*authenticator.WrongPIN](err)
	return ok
}

// verify has the hardware check a PIN that was typed, and tells the agent. It tells it
// of a withdrawal too: there is no request that could be cancelled meanwhile.
func (r *Remote) verify(ctx context.Context, a authenticator.Ask, typed *response) (answer *response, verified, err error) {
	pin := secret.Of(typed.PIN)
	defer pin.Wipe()
	if a.Verify == nil {
		return nil, nil, errors.Join(errMessage, ctap.OperationDenied)
	}
	verified = a.Verify(ctx, pin)
	if ctx.Err() != nil {
		verified = ctx.Err()
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), farewell)
		defer cancel()
	}
	answer, err = r.exchange(ctx, request{Verdict: judge(verified)})
	if err == nil && answer.PIN != nil && !isWrong(verified) {
		clear(answer.PIN)
		return nil, verified, errors.Join(errMessage, ctap.OperationDenied) // no other PIN was wanted
	}
	return answer, verified, err
}

func (r *Remote) exchange(ctx context.Context, m request) (*response, error) {
	b, err := r.questions.Exchange(ctx, encode(m))
	if err != nil {
		return nil, err
	}
	answer, err := decodeResponse(b)
	if err != nil {
		// Not wrapped: the agent's fault must not look like the caller's bytes.
		return nil, fmt.Errorf("%w: %v", errMessage, err) //nolint:errorlint // as said
	}
	return answer, nil
}
