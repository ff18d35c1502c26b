package restraint

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt/pinentry"
)

// person answers, and counts the questions.
type person struct {
	answer error
	asked  int
	barred []string // whom the choice was offered for
	bars   bool
}

func (p *person) Approve(context.Context, authenticator.Ask) (authenticator.Approval, error) {
	p.asked++
	return authenticator.Approval{}, p.answer
}

func (p *person) user() *User {
	return &User{User: p, Bar: func(_ context.Context, program string) bool {
		p.barred = append(p.barred, program)
		return p.bars
	}}
}

// ask asks as a program, and tells whether the person saw it.
func (p *person) ask(t *testing.T, u *User, program string) bool {
	t.Helper()
	before := p.asked
	_, err := u.Approve(t.Context(), authenticator.Ask{Caller: ctap.Caller{Programs: []string{program, "shell"}}})
	shown := p.asked > before
	if want := p.answer; shown && !errors.Is(err, want) || !shown && !errors.Is(err, ctap.OperationDenied) {
		t.Errorf("%s: shown %t, %v", program, shown, err)
	}
	return shown
}

// Who asks on after a no is shown less and less often; others, and who got a yes, are not.
func TestSilenceGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &person{answer: ctap.OperationDenied}
		u := p.user()
		var shownAt []time.Duration
		for began := time.Now(); time.Since(began) < 3*time.Minute; time.Sleep(100 * time.Millisecond) {
			if p.ask(t, u, "nag") {
				shownAt = append(shownAt, time.Since(began).Round(time.Second))
			}
		}
		synctest.Wait()
		if got, want := fmt.Sprint(shownAt), "[0s 0s 10s 40s 2m10s]"; got != want {
			t.Errorf("it was shown at %s, want %s", got, want)
		}
		if len(p.barred) != 1 || p.barred[0] != "nag" {
			t.Errorf("the choice was offered for %q, want it once", p.barred)
		}
		p.answer = nil
		if !p.ask(t, u, "browser") {
			t.Error("another program is not heard")
		}
		time.Sleep(longestStop)
		for range 2 {
			if !p.ask(t, u, "nag") {
				t.Error("it is not heard after its silence, and a yes")
			}
		}
	})
}

// A program that has another name each time is counted with all.
func TestNewNamesDoNotHelp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &person{answer: ctap.OperationDenied}
		u := p.user()
		for i := range 1000 {
			p.ask(t, u, fmt.Sprint("name", i))
			time.Sleep(100 * time.Millisecond)
		}
		if p.asked > 9 {
			t.Errorf("%d questions in 100 s", p.asked)
		}
		if len(u.programs) > maxPrograms {
			t.Errorf("%d programs are remembered", len(u.programs))
		}
	})
}

func TestNotThisProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &person{answer: ctap.OperationDenied, bars: true}
		u := p.user()
		for range 100 {
			p.ask(t, u, "nag")
			time.Sleep(10 * time.Minute)
		}
		if p.asked != offerAt {
			t.Errorf("shown %d times, want %d", p.asked, offerAt)
		}
		time.Sleep(2 * forgotten)
		p.answer = nil
		if !p.ask(t, u, "browser") || p.ask(t, u, "nag") {
			t.Error("another program is barred, or this one is not")
		}
	})
}

// What the person has not refused counts for nothing.
func TestOnlyANoCounts(t *testing.T) {
	t.Parallel()
	for _, answer := range []error{ctap.UserActionTimeout, errors.Join(ctap.OperationDenied, pinentry.ErrNotShown), context.Canceled} {
		p := &person{answer: answer}
		u := p.user()
		for range 20 {
			if !p.ask(t, u, "ssh") {
				t.Fatalf("silence after %v", answer)
			}
		}
	}
}

// A no is told while the choice is still on the screen, and the next question takes its
// place. Until it is made, each no brings it again.
func TestNoIsToldBeforeTheChoice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var open, offers atomic.Int32
		p := &person{answer: ctap.OperationDenied}
		u := &User{Bar: func(ctx context.Context, _ string) bool {
			open.Add(1)
			offers.Add(1)
			<-ctx.Done()
			open.Add(-1)
			return true // what is said as it closes counts for nothing
		}}
		u.User = askedBy(func() error {
			if open.Load() > 0 {
				t.Error("a question beside the choice")
			}
			return p.answer
		})
		ask := func() {
			t.Helper()
			began := time.Now()
			_, err := u.Approve(t.Context(), authenticator.Ask{Caller: ctap.Caller{Programs: []string{"nag"}}})
			if !errors.Is(err, p.answer) || time.Since(began) != 0 {
				t.Errorf("%v after %s", err, time.Since(began))
			}
			synctest.Wait()
		}
		for range offerAt {
			ask()
			time.Sleep(firstPause)
		}
		if open.Load() != 1 {
			t.Fatalf("%d choices are shown after %d noes", open.Load(), offerAt)
		}
		time.Sleep(offerLasts)
		synctest.Wait()
		if open.Load() != 0 || u.silent("nag") {
			t.Error("the choice stays, or counts although it was not made")
		}
		time.Sleep(longestStop)
		ask()
		if p.answer = nil; open.Load() != 1 || offers.Load() != 2 {
			t.Errorf("%d choices are shown, %d were", open.Load(), offers.Load())
		}
		time.Sleep(longestStop)
		ask()
		if open.Load() != 0 {
			t.Error("the choice outlives a yes")
		}
	})
}

// askedBy is a person.
type askedBy func() error

func (a askedBy) Approve(context.Context, authenticator.Ask) (authenticator.Approval, error) {
	return authenticator.Approval{}, a()
}
