package system

import (
	"context"
	"maps"
	"sync"
)

// setPresent says who is at the machine. What it gives is closed when all devices are as
// that wants them: each user's is seen to apart, so that none can delay another's.
func (s *Service) setPresent(present map[int]Screen) <-chan struct{} {
	s.mu.Lock()
	s.present = maps.Clone(present)
	var group sync.WaitGroup
	for _, t := range s.tenants {
		group.Go(func() { s.apply(t) })
	}
	s.mu.Unlock()
	applied := make(chan struct{})
	go func() {
		defer close(applied)
		group.Wait()
	}()
	return applied
}

// apply does what the last word on a user's presence wants, once for each change.
func (s *Service) apply(t *tenant) {
	t.applying.Lock()
	defer t.applying.Unlock()
	s.mu.Lock()
	screen, here := s.present[t.uid]
	s.mu.Unlock()
	var told *bool
	if here {
		told = &screen.Tells
	}
	t.SetLockTold(told)
	here = here || s.Presence == nil
	if here != t.away || s.alive.Err() != nil {
		return
	}
	t.away = !here
	if err := t.SetPresent(here); err != nil {
		s.Log.ErrorContext(context.Background(), "cannot follow who is at the machine", "owner", t.uid, "cause", err)
	}
}
