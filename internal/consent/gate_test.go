package consent

import (
	"context"
	"sync"
	"testing"
	"time"
)

// TestOnePowerCycleAfterTheOther: of two at once, each ends what has begun before it. A
// request that comes between them does not go on after the next.
func TestOnePowerCycleAfterTheOther(t *testing.T) {
	t.Parallel()
	for range 2000 {
		g, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancel(t.Context())
		held, end, err := g.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { cycle(t, g) })
		}
		<-held.Done()
		left := make(chan struct{})
		go func() {
			defer close(left)
			askOn(ctx, g)
		}()
		end()
		all.Wait()
		cycle(t, g)
		leave()
		<-left
	}
}

// cycle pulls and reinserts, which no request may hold up.
func cycle(t *testing.T, g *Gate) {
	done := make(chan error, 1)
	go func() { done <- g.PowerCycle() }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("a request goes on after a power cycle")
	}
}

// askOn asks again and again, each time until the request is ended.
func askOn(ctx context.Context, g *Gate) {
	for ctx.Err() == nil {
		if request, end, err := g.Begin(ctx); err == nil {
			<-request.Done()
			end()
		}
	}
}
