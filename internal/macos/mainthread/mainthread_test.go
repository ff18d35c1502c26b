package mainthread_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/localpasskey/localpasskey/internal/macos/mainthread"
)

// TestDo: what is asked for runs where Run was called, one after the other.
func TestDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		thread := mainthread.New()
		here := goroutine()
		running, most, sum := 0, 0, 0
		code := thread.Run(func() int {
			done := make(chan error)
			for range 10 {
				go func() {
					ran := false
					err := thread.Do(t.Context(), func() {
						if goroutine() != here {
							t.Error("it runs elsewhere")
						}
						running++
						most = max(most, running)
						runtime.Gosched()
						running--
						sum++
						ran = true
					})
					if !ran {
						t.Error("it has not run when Do returns")
					}
					done <- err
				}()
			}
			for range 10 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			return 7
		})
		if code != 7 || sum != 10 || most != 1 {
			t.Errorf("ended with %d, ran %d, %d at once", code, sum, most)
		}
	})
}

// TestGiveUp: who stops waiting before the turn has come is not done; who has begun is waited for.
func TestGiveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		thread := mainthread.New()
		ctx, cancel := context.WithCancel(t.Context())
		thread.Run(func() int {
			begun := false
			err := thread.Do(ctx, func() {
				cancel()
				second := make(chan error)
				go func() { second <- thread.Do(ctx, func() { begun = true }) }()
				if err := <-second; !errors.Is(err, context.Canceled) {
					t.Errorf("the second answers %v", err)
				}
			})
			if err != nil || begun {
				t.Errorf("%v, the second begun %t", err, begun)
			}
			return 0
		})
	})
}

// goroutine names the one that calls.
func goroutine() string {
	head := make([]byte, 32)
	head = head[:runtime.Stack(head, false)]
	for i, c := range head {
		if c == '[' {
			return string(head[:i])
		}
	}
	return string(head)
}
