package fingerprint

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// MaxStrangers is how many fingers that are not the user's a request is given.
const MaxStrangers = 3

// Held is the PIN that fingers stand for.
type Held interface {
	// Is tells whether one is held.
	Is() bool
	// Matched and Missed count fingers, the user's and others; too many others end it.
	Matched()
	Missed()
}

// User asks by another User and, where a finger can stand for the PIN, by the reader
// beside it. It is an authenticator.User.
type User struct {
	Prompt authenticator.User
	Reader *Reader
	Held   Held
	Log    *slog.Logger
}

var _ authenticator.User = (*User)(nil)

// Approve asks. Whose passkey it is, of several, is asked first: a finger cannot choose.
func (u *User) Approve(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	if ask.ByFinger == nil || !u.Held.Is() {
		return u.typed(ctx, ask)
	}
	chosen := 0
	if len(ask.Accounts) > 1 {
		choice := ask
		choice.Verify, choice.ByFinger = nil, nil
		approval, err := u.Prompt.Approve(ctx, choice)
		if err != nil {
			return approval, err
		}
		if chosen = approval.Account; chosen >= len(ask.Accounts) {
			return approval, nil // which is refused, unverified
		}
		ask.Accounts = ask.Accounts[chosen : chosen+1]
	}
	approval, err := u.verified(ctx, ask)
	approval.Account += chosen
	return approval, err
}

// typed asks without a reader.
func (u *User) typed(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	ask.ByFinger = nil
	return u.Prompt.Approve(ctx, ask)
}

// verified asks for the PIN or a finger.
func (u *User) verified(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	c, err := u.Reader.claim(ctx)
	if err != nil {
		u.Log.InfoContext(ctx, "no finger is asked for", "cause", err)
		return u.typed(ctx, ask)
	}
	defer c.close(ctx)
	return (&race{User: u, claim: c, ask: ask}).run(ctx)
}

// race is one question to the prompt and the reader. Each may be answered at any time;
// the first answer is taken, and one at a time goes to the hardware.
type race struct {
	*User

	claim *claim
	ask   authenticator.Ask

	mu      sync.Mutex // held while the hardware checks
	decided bool       // guarded by mu
}

// answer is what the prompt gives.
type answer struct {
	approval authenticator.Approval
	err      error
}

func (r *race) run(ctx context.Context) (authenticator.Approval, error) {
	prompting, closePrompt := context.WithCancel(ctx)
	defer closePrompt()
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	answered := make(chan answer, 1)
	ask := r.ask
	ask.Verify = func(ctx context.Context, pin secret.Bytes) error { return r.typed(ctx, pin, stopReading) }
	go func() {
		approval, err := r.Prompt.Approve(prompting, ask)
		r.mu.Lock()
		defer r.mu.Unlock()
		if answered <- (answer{approval, err}); !r.decided {
			r.decided = true
			stopReading()
		}
	}()
	if r.read(reading) && r.first() {
		closePrompt()
		err := r.ask.ByFinger(ctx)
		r.mu.Unlock()
		<-answered // so that the prompt has closed before the next one opens
		return authenticator.Approval{}, err
	}
	a := <-answered
	return a.approval, a.err
}

// first tells whether the finger was, and if so holds mu.
func (r *race) first() bool {
	r.mu.Lock()
	if r.decided || !r.Held.Is() {
		r.mu.Unlock()
		return false
	}
	r.decided = true
	return true
}

// typed has the hardware check a PIN. After any, the reader is not listened to any more: a
// right one is the answer, and a wrong one has ended what fingers stand for.
func (r *race) typed(ctx context.Context, pin secret.Bytes, stopReading func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	stopReading()
	if r.decided {
		return context.Canceled
	}
	err := r.ask.Verify(ctx, pin)
	r.decided = err == nil
	return err
}

// read waits for the user's finger; false where there will be none.
func (r *race) read(ctx context.Context) bool {
	for range MaxStrangers {
		err := r.claim.verify(ctx)
		switch {
		case err == nil:
			r.Held.Matched()
			return ctx.Err() == nil
		case !errors.Is(err, ErrNoMatch):
			if ctx.Err() == nil {
				r.Log.WarnContext(ctx, "the fingerprint reader is not listened to any more", "cause", err)
			}
			return false
		}
		if r.Held.Missed(); !r.Held.Is() || errors.Is(err, ErrAway) || errors.Is(err, errGone) {
			return false
		}
	}
	return false
}
