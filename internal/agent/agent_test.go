package agent_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/agent"
	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// exchanger carries requests by a function.
type exchanger func(ctx context.Context, request []byte) ([]byte, error)

func (f exchanger) Exchange(ctx context.Context, request []byte) ([]byte, error) {
	return f(ctx, request)
}

// connect puts a desk with user behind it at the other end.
func connect(t *testing.T, user authenticator.User) *agent.Remote {
	t.Helper()
	desk := agent.NewDesk(user)
	t.Cleanup(desk.Close)
	return agent.NewRemote(exchanger(func(ctx context.Context, request []byte) ([]byte, error) {
		return desk.Answer(ctx, bytes.Clone(request)), nil
	}))
}

// chip takes one PIN and counts tries.
type chip struct {
	pin     string
	retries int
	typed   []string
}

func (c *chip) verify(_ context.Context, pin secret.Bytes) error {
	c.typed = append(c.typed, string(pin.Reveal()))
	switch {
	case string(pin.Reveal()) == c.pin:
		return nil
	case c.retries == 1:
		return ctap.UVBlocked
	}
	c.retries--
	return &authenticator.WrongPIN{Retries: c.retries}
}

func signIn() authenticator.Ask {
	return authenticator.Ask{
		Operation: authenticator.OperationSignIn,
		RP:        ctap.RelyingParty{ID: "example.com", Name: "Example"},
		Accounts:  []ctap.User{{ID: []byte{1}, Name: "alice", DisplayName: "Alice"}, {ID: []byte{2}, Name: "bob"}},
	}
}

// All that a prompt shows arrives.
func TestQuestionArrivesWhole(t *testing.T) {
	t.Parallel()
	person := ctaptest.NewPerson(ctaptest.Auto, 0)
	person.Choose(1)
	remote := connect(t, person)
	sent := signIn()
	sent.Permissions = ctap.PermissionGetAssertion | ctap.PermissionCredentialManagement
	sent.Replaces, sent.Lost, sent.Losses, sent.Retries = true, 7, []string{"a: b", "c: d"}, 3
	sent.Caller = ctap.Caller{Programs: []string{"firefox", "gnome-shell"}, Node: "/dev/hidraw3", Page: "https://a.example", Top: "https://b.example"}
	approval, err := remote.Approve(t.Context(), sent)
	if err != nil || approval.Account != 1 {
		t.Errorf("got %+v, %v", approval, err)
	}
	if asked := person.Asked(); len(asked) != 1 || !reflect.DeepEqual(asked[0], sent) {
		t.Errorf("asked %+v, want %+v", asked, sent)
	}
}

// An agent is told that the reader waits, and has no way to say what it saw.
func TestFingerIsNotTheAgents(t *testing.T) {
	t.Parallel()
	told := make(chan error, 1)
	remote := connect(t, userFunc(func(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
		if ask.ByFinger == nil {
			told <- errors.New("not told")
		} else {
			told <- ask.ByFinger(ctx)
		}
		return authenticator.Approval{}, nil
	}))
	ask := signIn()
	ask.ByFinger = func(context.Context) error { t.Error("called by the agent"); return nil }
	if _, err := remote.Approve(t.Context(), ask); err != nil {
		t.Error(err)
	}
	if err := <-told; !errors.Is(err, ctap.NotAllowed) {
		t.Errorf("the agent got %v", err)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for touch, want := range map[ctaptest.Touch]error{ctaptest.Auto: nil, ctaptest.Deny: ctap.OperationDenied} {
		remote := connect(t, ctaptest.NewPerson(touch, 0))
		for range 2 {
			if _, err := remote.Approve(t.Context(), signIn()); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", touch, err, want)
			}
		}
	}
}

// The PIN goes to the hardware as often as it may, and its answer comes back.
func TestPIN(t *testing.T) {
	t.Parallel()
	broken := errors.New("the chip is broken")
	for name, c := range map[string]struct {
		pins  []string
		want  error
		typed []string
	}{
		"right":        {[]string{"1234"}, nil, []string{"1234"}},
		"second":       {[]string{"0", "1234"}, nil, []string{"0", "1234"}},
		"never":        {[]string{"0", "1", "2", "1234"}, ctap.UVBlocked, []string{"0", "1", "2"}},
		"nobody types": {nil, ctap.OperationDenied, nil},
		"no chip":      {[]string{"break"}, broken, []string{"break"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			remote := connect(t, ctaptest.NewPerson(ctaptest.Auto, 0, c.pins...))
			hardware := &chip{pin: "1234", retries: 3}
			ask := signIn()
			ask.Verify = func(ctx context.Context, pin secret.Bytes) error {
				err := hardware.verify(ctx, pin)
				if string(pin.Reveal()) == "break" {
					return broken
				}
				return err
			}
			if _, err := remote.Approve(t.Context(), ask); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if !slices.Equal(hardware.typed, c.typed) {
				t.Errorf("the hardware got %q, want %q", hardware.typed, c.typed)
			}
		})
	}
}

// A question closes when it is withdrawn, while it waits and while a PIN is checked.
func TestWithdrawn(t *testing.T) {
	t.Parallel()
	person := ctaptest.NewPerson(ctaptest.Hold, 0, "1234")
	remote := connect(t, person)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-person.Opened(); cancel() }()
	if _, err := remote.Approve(ctx, signIn()); !errors.Is(err, context.Canceled) {
		t.Errorf("while it waits: %v", err)
	}
	person.SetTouch(ctaptest.Auto)
	ctx, cancel = context.WithCancel(t.Context())
	ask := signIn()
	ask.Verify = func(ctx context.Context, _ secret.Bytes) error {
		cancel()
		return ctx.Err()
	}
	if _, err := remote.Approve(ctx, ask); !errors.Is(err, context.Canceled) {
		t.Errorf("while a PIN is checked: %v", err)
	}
	<-person.Opened()
	if _, err := remote.Approve(t.Context(), signIn()); err != nil {
		t.Errorf("the next question: %v", err)
	}
}

// A desk whose connection ends while a PIN is checked closes its question.
func TestDeskCloses(t *testing.T) {
	t.Parallel()
	var closed error
	done := make(chan struct{})
	user := userFunc(func(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
		defer close(done)
		closed = ask.Verify(ctx, secret.Of([]byte("1234")))
		return authenticator.Approval{}, closed
	})
	desk := agent.NewDesk(user)
	checking := make(chan struct{})
	go func() { <-checking; desk.Close() }()
	remote := agent.NewRemote(exchanger(func(ctx context.Context, request []byte) ([]byte, error) {
		select {
		case <-checking:
			<-done
			return nil, errors.New("gone")
		default:
			return desk.Answer(ctx, request), nil
		}
	}))
	ask := signIn()
	ask.Verify = func(context.Context, secret.Bytes) error { close(checking); return nil }
	if _, err := remote.Approve(t.Context(), ask); err == nil {
		t.Error("approved by nobody")
	}
	if !errors.Is(closed, context.Canceled) {
		t.Errorf("the prompt's Verify gave %v", closed)
	}
}

type userFunc func(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error)

func (f userFunc) Approve(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	return f(ctx, ask)
}

// An agent that lies is a refusal: it cannot answer in the authenticator's place.
func TestLyingAgent(t *testing.T) {
	t.Parallel()
	pinAgain := []byte{0xa2, 0x01, 0x00, 0x03, 0x41, '1'} // {1: 0, 3: "1"}
	for name, answer := range map[string][]byte{
		"nothing":              {},
		"not CBOR":             []byte("yes"),
		"a status of another":  {0xa1, 0x01, byte(ctap.StatusOf(ctap.NoCredentials))},
		"a PIN nobody wants":   pinAgain,
		"an account too large": {0xa2, 0x01, 0x00, 0x02, 0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	} {
		remote := agent.NewRemote(exchanger(func(context.Context, []byte) ([]byte, error) { return bytes.Clone(answer), nil }))
		approval, err := remote.Approve(t.Context(), signIn())
		if name == "an account too large" {
			if err != nil || approval.Account < len(signIn().Accounts) {
				t.Errorf("%s: %+v, %v; want a number that the gate refuses", name, approval, err)
			}
			continue
		}
		if status := ctap.StatusOf(err); err == nil || status != ctap.OperationDenied && status != ctap.Other {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One that types on after the right PIN.
	remote := agent.NewRemote(exchanger(func(context.Context, []byte) ([]byte, error) { return bytes.Clone(pinAgain), nil }))
	hardware := &chip{pin: "1", retries: 3}
	ask := signIn()
	ask.Verify = hardware.verify
	if _, err := remote.Approve(t.Context(), ask); !errors.Is(err, ctap.OperationDenied) || len(hardware.typed) != 1 {
		t.Errorf("%v after %d PINs", err, len(hardware.typed))
	}
}

// A desk answers anything, and a question that it does not understand is a refusal.
func FuzzDesk(f *testing.F) {
	f.Add([]byte{0xa1, 0x02, 0xa1, 0x01, 0x00})
	f.Add([]byte{0xa1, 0x01, 0xa2, 0x01, 0x67, 's', 'i', 'g', 'n', ' ', 'i', 'n', 0x02, 0xa1, 0x62, 'i', 'd', 0x61, 'a'})
	f.Add([]byte{0xa0})
	desk := agent.NewDesk(userFunc(func(context.Context, authenticator.Ask) (authenticator.Approval, error) {
		return authenticator.Approval{}, ctap.OperationDenied
	}))
	f.Fuzz(func(t *testing.T, request []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if answer := desk.Answer(ctx, request); len(answer) < 3 || answer[2] == 0 {
			t.Errorf("% x is answered % x", request, answer)
		}
	})
}

func FuzzRemote(f *testing.F) {
	f.Add([]byte{0xa1, 0x01, 0x00})
	f.Add([]byte{0xa2, 0x01, 0x00, 0x02, 0x01})
	f.Add([]byte{0xa2, 0x01, 0x00, 0x03, 0x41, '1'})
	f.Fuzz(func(t *testing.T, answer []byte) {
		remote := agent.NewRemote(exchanger(func(context.Context, []byte) ([]byte, error) { return bytes.Clone(answer), nil }))
		if approval, err := remote.Approve(t.Context(), signIn()); err == nil && approval.Account < 0 {
			t.Errorf("% x approves account %d", answer, approval.Account)
		}
	})
}
