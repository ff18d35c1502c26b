package demo

import (
	"context"
	"fmt"
	"sync"

	"github.com/localpasskey/localpasskey/internal/authenticator"
)

// person is the scripted user: says yes, and remembers what was asked. No shipped
// program contains one.
type person struct {
	mu    sync.Mutex
	asked []authenticator.Ask
}

// Approve says yes.
func (p *person) Approve(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, ask)
	return authenticator.Approval{}, ctx.Err()
}

// once checks that the person was asked one question since the last call, and that
// it was about op at this relying party.
func (p *person) once(op authenticator.Operation, rpID string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	if len(asked) != 1 || asked[0].Operation != op || asked[0].RP.ID != rpID {
		return fmt.Errorf("the person was asked %d times, not once to %s at %s", len(asked), op, rpID)
	}
	return nil
}
