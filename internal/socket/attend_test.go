package socket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// patience is for what takes no time but on a busy machine.
const patience = 20 * time.Second

// attend starts an agent that answers by answer. stop ends it and gives its error.
func attend(t *testing.T, d *daemon, answer func(context.Context, []byte) []byte) (taken agent, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	up := make(chan struct{})
	go func() { ended <- socket.Attend(ctx, d.path, func() { close(up) }, answer) }()
	select {
	case <-up:
	case err := <-ended:
		t.Fatalf("the agent was not taken up: %v", err)
	case <-time.After(patience):
		t.Fatal("the agent was not taken up")
	}
	taken = <-d.agents
	t.Cleanup(cancel)
	return taken, func() error { cancel(); return <-ended }
}

func echo(_ context.Context, question []byte) []byte { return slices.Concat([]byte("re: "), question) }

func TestAgentAnswers(t *testing.T) {
	d := start(t)
	a, stop := attend(t, d, echo)
	for _, question := range []string{"one", "", "three"} {
		if got, err := a.Exchange(t.Context(), []byte(question)); err != nil || string(got) != "re: "+question {
			t.Errorf("%q is answered %q, %v", question, got, err)
		}
	}
	if a.caller.PID == 0 {
		t.Error("nobody knows who the agent is")
	}
	getInfo(t, dial(t, d))
	if err := stop(); err != nil {
		t.Errorf("the agent ended with %v", err)
	}
	<-d.left
	if _, err := a.Exchange(t.Context(), nil); !errors.Is(err, socket.ErrGone) {
		t.Errorf("a question to nobody: %v", err)
	}
}

// A question that is cancelled ends at the agent, and the next one is answered as if
// nothing had been.
func TestQuestionsEnd(t *testing.T) {
	d := start(t)
	asked := make(chan struct{}, 1)
	a, _ := attend(t, d, func(ctx context.Context, question []byte) []byte {
		if bytes.Equal(question, []byte("wait")) {
			asked <- struct{}{}
			<-ctx.Done()
			return []byte("withdrawn")
		}
		return question
	})
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-asked; cancel() }()
		if got, err := a.Exchange(ctx, []byte("wait")); err != nil || string(got) != "withdrawn" {
			t.Errorf("got %q, %v", got, err)
		}
		if got, err := a.Exchange(t.Context(), []byte("next")); err != nil || string(got) != "next" {
			t.Errorf("the next question: %q, %v", got, err)
		}
	}
	// One after another: the second waits, and can be withdrawn while it does.
	first := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { _, err := a.Exchange(ctx, []byte("wait")); first <- err }()
	<-asked
	brief, done := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer done()
	if _, err := a.Exchange(brief, []byte("second")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("two questions at once: %v", err)
	}
	cancel()
	if err := <-first; err != nil {
		t.Errorf("the first question: %v", err)
	}
}

// An agent that dies is gone at once, for the question that is open as well.
func TestAgentDies(t *testing.T) {
	d := start(t)
	c := raw(t, d)
	write(t, c, frame(5, nil))
	a := <-d.agents
	result := make(chan error, 1)
	go func() { _, err := a.Exchange(t.Context(), []byte("?")); result <- err }()
	if _, err := io.ReadFull(c, make([]byte, len(frame(2, []byte{0}))+len(frame(1, []byte("?"))))); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if err := <-result; !errors.Is(err, socket.ErrGone) {
		t.Errorf("the open question: %v", err)
	}
	<-d.left
}

// An agent that does not react to a cancel is hung up on.
func TestDeafAgent(t *testing.T) {
	d := start(t)
	deaf := make(chan struct{})
	t.Cleanup(func() { close(deaf) })
	asked := make(chan struct{})
	a, _ := attend(t, d, func(context.Context, []byte) []byte {
		close(asked)
		<-deaf
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := a.Exchange(ctx, []byte("?")); !errors.Is(err, context.Canceled) || !errors.Is(err, socket.ErrGone) {
		t.Errorf("got %v", err)
	}
	<-d.left
}

func TestAgentRefused(t *testing.T) {
	d := start(t)
	for _, refusal := range []error{ctap.NotAllowed, &ctap.Problem{What: "no", Hint: "really", Status: ctap.NotAllowed}} {
		d.refusal = refusal
		err := socket.Attend(t.Context(), d.path, func() { t.Error("taken up") }, echo)
		if !errors.Is(err, ctap.NotAllowed) {
			t.Errorf("got %v, want %v", err, refusal)
		}
	}
	if problem, ok := errors.AsType[*ctap.Problem](socket.Attend(t.Context(), d.path+"x", nil, echo)); !ok || problem.Hint == "" {
		t.Errorf("no daemon: %v", problem)
	}
}

// What an agent says without being asked ends its connection.
func TestAgentThatTalks(t *testing.T) {
	d := start(t)
	for name, said := range map[string][]byte{
		"a request":      frame(1, []byte{4}),
		"a cancel":       frame(3, nil),
		"attend again":   frame(5, nil),
		"an answer":      frame(2, []byte{0}),
		"half an answer": {2, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := raw(t, d)
			write(t, c, slices.Concat(frame(5, nil), said))
			<-d.agents
			if name == "half an answer" {
				_ = c.Close()
			} else if rest, err := io.ReadAll(c); err != nil && !isReset(err) {
				t.Errorf("the daemon keeps the connection: % x, %v", rest, err)
			}
			<-d.left
			getInfo(t, dial(t, d))
		})
	}
}

// The daemon goes: its agent hears of it.
func TestAgentOutlivesItsDaemon(t *testing.T) {
	d := start(t)
	ended := make(chan error, 1)
	up := make(chan struct{})
	go func() { ended <- socket.Attend(t.Context(), d.path, func() { close(up) }, echo) }()
	<-up
	<-d.agents
	d.stop()
	if problem, ok := errors.AsType[*ctap.Problem](<-ended); !ok || problem.Hint == "" {
		t.Errorf("the agent ended with %v", problem)
	}
}
