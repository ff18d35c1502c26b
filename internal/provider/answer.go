package provider

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// once lets one answer through: the system breaks off an extension that answers
// twice, and waits for ever for one that does not.
type once struct {
	Request

	mu   sync.Mutex
	done bool
}

var errAnswered = errors.New("the request was answered already")

// give hands an answer over, unless there was one.
func (o *once) give(answer func() error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return errAnswered
	}
	err := answer()
	o.done = err == nil
	return err
}

func (o *once) CompleteRegistration(ctx context.Context, r Registration) error {
	return o.give(func() error { return o.Request.CompleteRegistration(ctx, r) })
}

func (o *once) CompleteAssertion(ctx context.Context, a Assertion) error {
	return o.give(func() error { return o.Request.CompleteAssertion(ctx, a) })
}

func (o *once) CompleteConfiguration() {
	_ = o.give(func() error { // there is nobody to tell
		o.Request.CompleteConfiguration()
		return nil
	})
}

func (o *once) Cancel(code Code) {
	_ = o.give(func() error { // a second answer is what must not be
		o.Request.Cancel(code)
		return nil
	})
}

// answer runs act, and cancels the request where act has not answered it. A person
// is told why, unless they know.
func (p *Provider) answer(ctx context.Context, to Request, screen Screen, name string, act func(to Request) error) {
	request := &once{Request: to}
	defer func() {
		if reason := recover(); reason != nil {
			p.Log.ErrorContext(ctx, "a request panicked", "request", name, "cause", fmt.Sprint(reason))
			request.Cancel(Failed)
		}
	}()
	err := act(request)
	if err == nil {
		return
	}
	code := CodeOf(err)
	p.Log.WarnContext(ctx, "a request was not fulfilled", "request", name, "code", int(code), "cause", err)
	if code == Failed && ctx.Err() == nil && screen != nil {
		screen.Tell(ctx, message(err))
	}
	request.Cancel(code)
}

// CodeOf is the only way from an error to the system.
func CodeOf(err error) Code {
	if errors.Is(err, errInteraction) {
		return InteractionRequired
	}
	switch ctap.StatusOf(err) {
	case ctap.OperationDenied, ctap.KeepaliveCancel, ctap.UserActionTimeout:
		return UserCanceled
	case ctap.CredentialExcluded:
		return Excluded
	case ctap.NoCredentials:
		return NotFound
	default:
		return Failed
	}
}

// errInteraction is the answer to a request that must not ask: our keys always do.
var errInteraction = errors.New("it takes a person")

// message says an error to a person.
func message(err error) string {
	p, ok := errors.AsType[*ctap.Problem](err)
	switch {
	case ok && p.Hint != "":
		return p.What + "\nhint: " + p.Hint
	case ok:
		return p.What
	case errors.Is(err, ctap.UnsupportedAlgorithm):
		return "The site wants a kind of key that the Secure Enclave cannot make."
	case errors.Is(err, ctap.InvalidParameter):
		return "What macOS has handed over is no request for a passkey. Nothing was changed."
	default:
		return "It did not work. `LocalPasskey log` in the Terminal tells why."
	}
}
