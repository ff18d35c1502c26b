package party

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// Touch is what a Person does when asked.
type Touch string

// Ours: the ways to answer.
const (
	Auto Touch = "auto" // yes, after the delay
	Hold Touch = "hold" // nothing, until the question is withdrawn
	Deny Touch = "deny" // no, after the delay
)

// Person is a scripted user: an authenticator.User that never tires.
type Person struct {
	mu     sync.Mutex
	touch  Touch
	delay  time.Duration
	pins   []string
	choice int
	asks   []authenticator.Ask
	open   chan struct{}
}

// NewPerson answers with touch after delay, and types pins in turn when a PIN is
// wanted; the last one is typed again and again.
func NewPerson(touch Touch, delay time.Duration, pins ...string) *Person {
	return &Person{touch: touch, delay: delay, pins: pins, open: make(chan struct{}, 1)}
}

// SetTouch changes the answer to the questions that follow.
func (p *Person) SetTouch(t Touch) { p.locked(func() { p.touch = t }) }

// SetDelay changes how long the person takes.
func (p *Person) SetDelay(d time.Duration) { p.locked(func() { p.delay = d }) }

// SetPINs changes what is typed.
func (p *Person) SetPINs(pins ...string) { p.locked(func() { p.pins = pins }) }

// Choose makes the person pick that account where there is a choice.
func (p *Person) Choose(account int) { p.locked(func() { p.choice = account }) }

// Opened gets a value whenever a question is opened.
func (p *Person) Opened() <-chan struct{} { return p.open }

// Asked gives the questions asked since the last call.
func (p *Person) Asked() (asks []authenticator.Ask) {
	p.locked(func() { asks, p.asks = p.asks, nil })
	return asks
}

func (p *Person) locked(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
}

// Approve answers as scripted.
func (p *Person) Approve(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	var touch Touch
	var choice int
	var delay time.Duration
	p.locked(func() { p.asks, touch, choice, delay = append(p.asks, ask), p.touch, p.choice, p.delay })
	select {
	case p.open <- struct{}{}:
	default:
	}
	var none authenticator.Approval
	if touch == Hold {
		<-ctx.Done()
		return none, ctx.Err()
	}
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return none, ctx.Err()
	}
	if touch == Deny {
		return none, ctap.OperationDenied
	}
	if ask.Verify != nil {
		if err := p.typePINs(ctx, ask); err != nil {
			return none, err
		}
	}
	if len(ask.Accounts) > 1 {
		return authenticator.Approval{Account: choice}, nil
	}
	return none, nil
}

// typePINs types until the PIN is right or no further try is allowed.
func (p *Person) typePINs(ctx context.Context, ask authenticator.Ask) error {
	for {
		pin, ok := p.nextPIN()
		if !ok {
			return ctap.OperationDenied
		}
		typed := secret.Of([]byte(pin))
		err := ask.Verify(ctx, typed)
		typed.Wipe()
		if _, wrong := errors.AsType[*authenticator.WrongPIN](err); !wrong {
			return err
		}
	}
}

func (p *Person) nextPIN() (pin string, ok bool) {
	p.locked(func() {
		if len(p.pins) > 0 {
			pin, ok = p.pins[0], true
		}
		if len(p.pins) > 1 {
			p.pins = p.pins[1:]
		}
	})
	return pin, ok
}
