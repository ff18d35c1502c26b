// Package restraint keeps programs from asking a person again and again after a no.
//
//	ask ──► silent? ── yes ──► refused, nothing is shown
//	           │ no
//	           └──► the person: yes ──► all is forgotten
//	                            no  ──► 10 s of silence from the second on, then 30 s, 90 s, …
//	                                    and the choice: not this program
//
// A program goes by its name, or by the names of those that have the device open. Names
// can be chosen anew for each question, so noes are counted for all programs together as
// well, from a higher number on.
//
// Invariants:
//   - Silence refuses, and never approves.
//   - A no is told at once; the choice is shown after it, until it is made, for a time, or
//     until the next question.
//   - Whatever the programs do, the first question of each after a yes is shown, unless
//     many were refused just before.
//
// This package refuses to know how a question looks.
package restraint

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/process"
	"github.com/localpasskey/localpasskey/internal/prompt/pinentry"
)

// Ours.
const (
	ownFree     = 1 // noes to one program that cost it nothing
	allFree     = 5 // noes to all programs that cost them nothing
	firstPause  = 10 * time.Second
	growth      = 3
	longestStop = 15 * time.Minute
	forgotten   = time.Hour // after the last no
	offerAt     = 3         // from this no to a program on the choice to hear no more is shown, until it is made
	maxPrograms = 100       // more are counted together
	offerLasts  = 30 * time.Second
)

// User asks by another User, and not too often. It is an authenticator.User.
type User struct {
	// User asks.
	User authenticator.User
	// Bar asks whether this program is not to be heard any more, until ctx ends; nil to
	// never ask that.
	Bar func(ctx context.Context, program string) bool

	mu       sync.Mutex
	programs map[string]*record
	all      record

	// offer is the choice that is shown, or was. A question takes its place.
	offer sync.Mutex
	close func() // guarded by offer
}

var _ authenticator.User = (*User)(nil)

// record is what is remembered of the noes to a program.
type record struct {
	noes   int
	last   time.Time
	until  time.Time // silent
	barred bool
	chose  bool // whether it is to be barred
}

// Approve asks, unless the program is to be silent.
func (u *User) Approve(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	name := who(ask.Caller)
	if u.silent(name) {
		return authenticator.Approval{}, ctap.OperationDenied
	}
	u.closeOffer()
	approval, err := u.User.Approve(ctx, ask)
	switch {
	case err == nil:
		u.said(name, true)
	case ctx.Err() == nil && errors.Is(err, ctap.OperationDenied) && !errors.Is(err, pinentry.ErrNotShown):
		if u.said(name, false) && name != "" && u.Bar != nil {
			u.offerToBar(ctx, name)
		}
	}
	return approval, err
}

// offerToBar asks whether a program is to be heard no more, beside the request: the no is
// told at once, for until then something else may still answer yes, such as a finger.
func (u *User) offerToBar(ctx context.Context, name string) {
	u.closeOffer()
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), offerLasts)
	closed := make(chan struct{})
	u.offer.Lock()
	defer u.offer.Unlock()
	u.close = func() { end(); <-closed }
	go func() {
		defer close(closed)
		defer end()
		bar := u.Bar(ctx, name)
		u.mu.Lock()
		defer u.mu.Unlock()
		if r := u.of(name); ctx.Err() == nil {
			r.barred, r.chose = bar, true
		}
	}()
}

// closeOffer has the choice off the screen before a question is on it.
func (u *User) closeOffer() {
	u.offer.Lock()
	defer u.offer.Unlock()
	if u.close != nil {
		u.close()
		u.close = nil
	}
}

// who names a program; "" where nobody can tell.
func who(c ctap.Caller) string {
	if len(c.Programs) > 0 {
		return c.Programs[0]
	}
	var names []string
	for _, chain := range process.HolderChains(c.Node) {
		names = append(names, chain[0])
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// silent tells whether a program is not to be heard now.
func (u *User) silent(name string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	r := u.of(name)
	return r.barred || now.Before(r.until) || now.Before(u.all.until)
}

// of gives a program's record. The caller holds mu.
func (u *User) of(name string) *record {
	if r := u.programs[name]; r != nil {
		return r
	}
	for other, r := range u.programs {
		if !r.barred && time.Since(r.last) >= forgotten {
			delete(u.programs, other)
		}
	}
	if len(u.programs) >= maxPrograms {
		return &u.all
	}
	if u.programs == nil {
		u.programs = map[string]*record{}
	}
	r := new(record)
	u.programs[name] = r
	return r
}

// said takes up an answer, and tells whether it was one no too many.
func (u *User) said(name string, yes bool) (tooMany bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	r := u.of(name)
	if yes {
		*r, u.all = record{}, record{}
		return false
	}
	if r != &u.all {
		u.all.no(allFree)
	}
	r.no(ownFree)
	return r.noes >= offerAt && !r.chose
}

// no counts one more, and makes the silence after it.
func (r *record) no(free int) {
	now := time.Now()
	if now.Sub(r.last) >= forgotten {
		r.noes = 0
	}
	r.noes++
	r.last = now
	pause := firstPause
	for range r.noes - free - 1 {
		pause = min(pause*growth, longestStop)
	}
	if r.noes > free {
		r.until = now.Add(pause)
	}
}
