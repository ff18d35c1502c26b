package logind_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/logind"
	"github.com/localpasskey/localpasskey/internal/logind/logindtest"
)

const alice, bob = 1000, 1001

// seen is what a Watch has said.
type seen struct {
	*testing.T
	said chan []int
	// hold keeps changes from being applied until it is closed.
	hold chan struct{}
}

// watch watches until the test ends.
func watch(t *testing.T, l *logindtest.Logind, idle time.Duration) *seen {
	t.Helper()
	s := &seen{T: t, said: make(chan []int, 100), hold: make(chan struct{})}
	release := sync.OnceFunc(func() { close(s.hold) })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	last := []int{-1} // nothing was said yet
	go func() {
		defer close(ended)
		c := logind.Config{Address: l.Address, Idle: idle, Log: slog.New(slog.DiscardHandler)}
		logind.Watch(ctx, c, func(p logind.Present) <-chan struct{} {
			if said := slices.Sorted(maps.Keys(p)); !slices.Equal(said, last) { // only the screen has changed
				last = said
				s.said <- said
			}
			return s.hold
		})
	}()
	t.Cleanup(func() { release(); cancel(); <-ended })
	return s
}

// next is the next thing said.
func (s *seen) next(want ...int) {
	s.Helper()
	select {
	case got := <-s.said:
		if !slices.Equal(got, want) {
			s.Errorf("present are %v, want %v", got, want)
		}
	case <-time.After(20 * time.Second):
		s.Fatalf("nothing was said; want %v", want)
	}
}

// quiet: nothing is said of what does not matter. end is a change that does.
func (s *seen) quiet(what string, end func(), want ...int) {
	s.Helper()
	end()
	s.next(want...)
	if len(s.said) != 0 {
		s.Errorf("more was said: %s", what)
	}
}

func TestWhoIsPresent(t *testing.T) {
	t.Parallel()
	l := logindtest.Start(t)
	a := l.Login("1", alice, nil)
	s := watch(t, l, 0)
	s.next(alice)
	a.SetLocked(true)
	s.next()
	a.SetLocked(false)
	s.next(alice)

	// Another user's session comes to the front, and goes.
	b := l.Login("2", bob, func(s *logindtest.Session) { s.Active = false })
	a.SetActive(false)
	s.next()
	b.SetActive(true)
	s.next(bob)
	b.Logout()
	s.next()
	a.SetActive(true)
	s.next(alice)

	// Nobody is present by these.
	l.Login("3", bob, func(s *logindtest.Session) { s.Seat = "" })
	l.Login("4", bob, func(s *logindtest.Session) { s.Class = "greeter" })
	l.Login("5", bob, func(s *logindtest.Session) { s.Class = "lock-screen" })
	l.Login("6", bob, func(s *logindtest.Session) { s.Locked = true })
	s.quiet("a session that does not count", func() { a.SetLocked(true) })
	a.Logout()
	s.quiet("the end of a locked session", func() { l.Login("7", alice, nil) }, alice)
}

// Where the desktop has never told of a locked screen, who has been idle for the time is
// not present until somebody touches the machine. A terminal's word does not count.
func TestIdle(t *testing.T) {
	t.Parallel()
	const idle = time.Second
	l := logindtest.Start(t)
	a := l.Login("1", alice, nil)
	s := watch(t, l, idle)
	s.next(alice)
	a.SetIdle(true)
	began := time.Now()
	s.next()
	if took := time.Since(began); took < idle/2 {
		t.Errorf("gone after %s", took)
	}
	a.SetIdle(false)
	s.next(alice)

	// Touched in time.
	a.SetIdle(true)
	a.SetIdle(false)
	time.Sleep(idle * 3 / 2)
	b := l.Login("2", bob, func(s *logindtest.Session) { s.Type, s.Idle = "tty", true })
	s.next(alice, bob)
	time.Sleep(idle * 3 / 2)
	s.quiet("idleness of a terminal", func() { a.SetActive(false) }, bob)
	a.SetActive(true)
	s.next(alice, bob)
	b.Logout()
	s.next(alice)

	// A desktop that tells of its lock screen is believed.
	a.SetLocked(true)
	s.next()
	a.SetLocked(false)
	s.next(alice)
	a.SetIdle(true)
	time.Sleep(idle * 3 / 2)
	s.quiet("idleness of who locks", func() { a.SetLocked(true) })
}

// Whether a desktop tells of its lock screen is known from the first time that it does.
func TestScreenTells(t *testing.T) {
	t.Parallel()
	l := logindtest.Start(t)
	a := l.Login("1", alice, nil)
	said := make(chan logind.Present, 10)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		logind.Watch(ctx, logind.Config{Address: l.Address, Log: slog.New(slog.DiscardHandler)}, func(p logind.Present) <-chan struct{} {
			said <- p
			return nil
		})
	}()
	defer func() { cancel(); <-ended }()
	if screen, ok := (<-said)[alice]; !ok || screen.Tells {
		t.Errorf("at first %+v, present %v", screen, ok)
	}
	a.SetLocked(true)
	<-said
	a.SetLocked(false)
	if screen, ok := (<-said)[alice]; !ok || !screen.Tells {
		t.Errorf("after a lock %+v, present %v", screen, ok)
	}
}

// The machine sleeps only when the change has been applied; after it all is as before.
func TestSleep(t *testing.T) {
	t.Parallel()
	l := logindtest.Start(t)
	l.Login("1", alice, nil)
	s := watch(t, l, 0)
	s.next(alice)
	if !l.Delayed() {
		t.Error("the machine may sleep at once")
	}
	l.PrepareForSleep(true)
	s.next()
	if !l.Delayed() {
		t.Error("the machine may sleep before the change is applied")
	}
	s.hold <- struct{}{}
	for deadline := time.Now().Add(10 * time.Second); l.Delayed(); {
		if time.Now().After(deadline) {
			t.Fatal("the machine is kept awake")
		}
	}
	l.PrepareForSleep(false)
	s.next(alice)
	if !l.Delayed() {
		t.Error("the next time the machine may sleep at once")
	}
}

// Without a bus, and while logind is away, nobody is present.
func TestLogindGoes(t *testing.T) {
	t.Parallel()
	l := logindtest.Start(t)
	l.Login("1", alice, nil)
	s := watch(t, l, 0)
	s.next(alice)
	l.StopBus()
	s.next()
	l.StartBus()
	l.StartService()
	s.next(alice)
}
