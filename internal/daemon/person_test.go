package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/agent"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// session is an agent with a scripted person.
type session struct {
	*ctaptest.Person

	stop func()
}

// attend starts an agent at the daemon's socket.
func (r *rig) attend(path string) *session {
	r.Helper()
	s := &session{Person: ctaptest.NewPerson(ctaptest.Auto, 0, testPIN)}
	ctx, cancel := context.WithCancel(context.Background())
	desk := agent.NewDesk(s)
	up, ended := make(chan struct{}), make(chan error, 1)
	before := r.d.person.newest() // now: the agent may be there at once
	go func() {
		defer desk.Close()
		ended <- socket.Attend(ctx, path, func() { close(up) }, desk.Answer)
	}()
	select {
	case <-up:
	case err := <-ended:
		r.Fatalf("the agent was not taken up: %v", err)
	}
	r.until("the agent is there", func() bool { return r.d.person.newest() != before })
	stopped := false
	s.stop = func() {
		if !stopped {
			stopped = true
			mine := r.d.person.newest()
			cancel()
			check(r, <-ended)
			r.until("the agent is gone", func() bool { return r.d.person.newest() != mine })
		}
	}
	r.Cleanup(func() { cancel() })
	return s
}

func (r *rig) until(what string, holds func() bool) {
	r.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("waited in vain until %s", what)
		}
	}
}

// The agent that came last asks; without one the daemon's own terminal does.
func TestWhoAsks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, path, _ := r.serve()
	r.setup()
	r.setPIN()
	asked := func(who string, by ...*ctaptest.Person) {
		t.Helper()
		check(t, register(t.Context(), r.channel()))
		for i, p := range by {
			if n := len(p.Asked()); n != map[bool]int{true: 1}[i == 0] {
				t.Errorf("%s: number %d was asked %d times", who, i, n)
			}
		}
	}
	asked("nobody but the terminal", r.person)
	first := r.attend(path)
	if s := r.status(); s.Prompt != ctap.PromptAgent {
		t.Errorf("asks by %q", s.Prompt)
	}
	asked("an agent", first.Person, r.person)
	second := r.attend(path)
	asked("a second one", second.Person, first.Person, r.person)
	second.stop()
	asked("the first one again", first.Person, second.Person, r.person)
	first.stop()
	asked("the terminal again", r.person, first.Person, second.Person)
}

// Without anybody to ask the PIN's own verification is not offered, and presence is
// refused; with an agent it works.
func TestNobodyAsks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.d.User, r.d.BuiltInUV = prompt.Nobody{Log: slog.New(slog.DiscardHandler)}, nil
	_, path, _ := r.serve()
	r.d.person.own, r.d.person.ownUV = prompt.Nobody{Log: slog.New(slog.DiscardHandler)}, nil
	r.setup()
	r.setPIN()
	offered := func() bool {
		info, err := r.channel().GetInfo(t.Context())
		check(t, err)
		return info.Options["uv"]
	}
	if offered() || r.status().Prompt != ctap.PromptNone {
		t.Error("uv is offered by nobody")
	}
	if err := r.channel().Selection(t.Context()); !errors.Is(err, ctap.OperationDenied) {
		t.Errorf("presence of nobody: %v", err)
	}
	r.attend(path)
	if !offered() {
		t.Error("uv is not offered by the agent")
	}
	check(t, register(t.Context(), r.channel()))
}

// An agent that dies while it asks leaves the question to whoever is left.
func TestAgentDiesWhileItAsks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, path, _ := r.serve()
	r.setup()
	r.setPIN()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "unix", path)
	check(t, err)
	_, err = conn.Write([]byte{5, 0, 0, 0, 0}) // attend
	check(t, err)
	_, err = io.ReadFull(conn, make([]byte, 6)) // taken up
	check(t, err)
	r.until("the agent is there", func() bool { return r.d.person.newest() != nil })
	result := make(chan error, 1)
	go func() { result <- register(t.Context(), r.channel()) }()
	_, err = conn.Read(make([]byte, 1)) // a question
	check(t, err)
	check(t, conn.Close())
	check(t, <-result)
	if n := len(r.person.Asked()); n != 1 {
		t.Errorf("the terminal asked %d questions, want the one", n)
	}
}

// Whoever may not use the passkeys is no agent either: what it would be shown, and
// what it would answer, is another's.
func TestOnlyTheOwnerAttends(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, err := r.d.Attend(ctap.Caller{UID: os.Getuid() + 1}); !errors.Is(err, ctap.NotAllowed) {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := r.d.Attend(ctap.Caller{UID: os.Getuid()}); err != nil {
		t.Errorf("the owner: %v", err)
	}
}
