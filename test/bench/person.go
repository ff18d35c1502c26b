package main

import (
	"context"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// person says yes after a while, and notes when.
type person struct {
	// takes is how long the person thinks; long enough, and all that can be
	// prepared meanwhile has been.
	takes time.Duration
	// acts is called when the person acts: types the PIN where one is wanted, or
	// says yes.
	acts func()
}

// Approve says yes.
func (p *person) Approve(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	timer := time.NewTimer(p.takes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return authenticator.Approval{}, ctx.Err()
	}
	if p.acts != nil {
		p.acts()
	}
	if ask.Verify == nil {
		return authenticator.Approval{}, nil
	}
	pin := examplePIN()
	defer pin.Wipe()
	return authenticator.Approval{}, ask.Verify(ctx, pin)
}

func examplePIN() secret.Bytes { return secret.Of([]byte("correct horse")) }
