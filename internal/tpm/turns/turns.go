// Package turns shares one TPM among users, command by command.
//
//	user 1000: ■ ■ ■ ■ ■ ■ … ──┐
//	user 1001: ■ ──────────────┼──► 1000, 1001, 1000, 1000, …   one at a time
//
// The kernel takes commands in the order in which they come. A program that sends them
// from many connections at once would thus be before everybody else each time; here it
// is before its own user's other programs only.
//
// Invariants:
//   - A user waits for at most one command of each other user before one of his own.
//   - What waits is a command, never a connection: one that is open and says nothing
//     keeps nobody waiting.
//
// This package refuses to know what the commands are.
package turns

import (
	"context"
	"sync"

	"github.com/localpasskey/localpasskey/internal/tpm"
)

// Turns is one TPM that users share. The zero value is ready.
type Turns struct {
	mu    sync.Mutex
	busy  bool
	lines []*line // of those who wait; whose turn is next first
}

// line is what one user waits with, in order.
type line struct {
	user     int
	commands []chan struct{}
}

// Of is open for one user's commands.
func (t *Turns) Of(user int, open tpm.Opener) tpm.Opener {
	return func(ctx context.Context) (tpm.Conn, error) {
		c, err := open(ctx)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: c, turns: t, user: user}, nil
	}
}

// conn is a connection whose commands wait for their turn.
type conn struct {
	tpm.Conn

	turns *Turns
	user  int
}

// Send sends one command, when it is its turn.
func (c *conn) Send(command []byte) ([]byte, error) {
	c.turns.wait(c.user)
	defer c.turns.next()
	return c.Conn.Send(command)
}

// wait returns when the TPM is the user's, until next.
func (t *Turns) wait(user int) {
	t.mu.Lock()
	if !t.busy {
		t.busy = true
		t.mu.Unlock()
		return
	}
	turn := make(chan struct{})
	t.join(user, turn)
	t.mu.Unlock()
	<-turn
}

// join puts a command at the end of its user's line. The caller holds mu.
func (t *Turns) join(user int, turn chan struct{}) {
	for _, l := range t.lines {
		if l.user == user {
			l.commands = append(l.commands, turn)
			return
		}
	}
	t.lines = append(t.lines, &line{user: user, commands: []chan struct{}{turn}})
}

// next gives the TPM to the next user, whose line goes to the end.
func (t *Turns) next() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == 0 {
		t.busy = false
		return
	}
	first := t.lines[0]
	t.lines = t.lines[1:]
	turn := first.commands[0]
	if first.commands = first.commands[1:]; len(first.commands) > 0 {
		t.lines = append(t.lines, first)
	}
	close(turn)
}
