package daemon

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"

	"github.com/localpasskey/localpasskey/internal/agent"
	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// person is asked through the agent that came last, or else through the daemon's own
// User. It is an authenticator.User.
type person struct {
	own   authenticator.User
	ownUV func() bool // nil for never
	log   *slog.Logger

	mu     sync.Mutex
	agents []*agent.Remote
}

// Approve asks. An agent that goes without an answer has asked nobody: the next one
// asks in its place.
func (p *person) Approve(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	for {
		remote := p.newest()
		if remote == nil {
			return p.own.Approve(ctx, ask)
		}
		approval, err := remote.Approve(ctx, ask)
		if ctx.Err() != nil || !errors.Is(err, socket.ErrGone) {
			return approval, err
		}
		p.log.WarnContext(ctx, "the agent went while it asked", "operation", ask.Operation, "cause", err)
		p.leave(remote)
	}
}

func (p *person) newest() *agent.Remote {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.agents) == 0 {
		return nil
	}
	return p.agents[len(p.agents)-1]
}

func (p *person) join(remote *agent.Remote) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.agents = append(p.agents, remote)
}

func (p *person) leave(remote *agent.Remote) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.agents = slices.DeleteFunc(p.agents, func(other *agent.Remote) bool { return other == remote })
}

// asks tells where the person is asked now.
func (p *person) asks() ctap.Prompt {
	switch {
	case p.newest() != nil:
		return ctap.PromptAgent
	case p.ownUV != nil && p.ownUV():
		return ctap.PromptTerminal
	default:
		return ctap.PromptNone
	}
}

// canVerify tells whether the person can be asked for the PIN now.
func (p *person) canVerify() bool { return p.asks() != ctap.PromptNone }

// Attend takes up an agent of the user whose passkeys these are. It is asked in place of those that
// came before, for as long as its connection lives.
func (d *Daemon) Attend(caller ctap.Caller) (func(ctx context.Context, questions ctap.Exchanger), error) {
	if caller.UID != d.owner {
		return nil, &ctap.Problem{
			Status: ctap.NotAllowed, What: "this daemon asks another user",
			Hint: "run the agent as the user whose passkeys these are",
		}
	}
	return func(ctx context.Context, questions ctap.Exchanger) {
		remote := agent.NewRemote(questions)
		d.person.join(remote)
		defer d.person.leave(remote)
		d.Log.InfoContext(ctx, "an agent asks the person from now on", "pid", caller.PID)
		<-ctx.Done()
		d.Log.InfoContext(ctx, "an agent is gone", "pid", caller.PID)
	}, nil
}
