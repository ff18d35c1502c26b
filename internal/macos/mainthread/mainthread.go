// Package mainthread runs functions on a process's first thread, where macOS wants its dialogs, in
// programs that do something else and have no loop of macOS's events.
//
//	main: Thread.Run ──┬─ work, on a goroutine of its own ── Do ──┐
//	                   └◄──────────────── functions, one by one ──┘
//
// Invariants: functions run one after the other, on the goroutine that called Run; what was not
// begun when work is done, or when whoever asked gave up, does not run.
//
// main must be on the first thread: a program calls runtime.LockOSThread in an init. Elsewhere than
// on a Mac nobody minds which thread it is. This package refuses to know what is run.
package mainthread

import "context"

// Thread is the first thread.
type Thread struct{ calls chan call }

// call is a function, and where it is told that it has run.
type call struct {
	do   func()
	done chan struct{}
}

// New makes one. Its Run is still to be called.
func New() *Thread { return &Thread{calls: make(chan call)} }

// Run does work on another goroutine, and what is asked for by Do on this one, until work returns.
func (t *Thread) Run(work func() int) int {
	ended := make(chan int, 1)
	go func() { ended <- work() }()
	for {
		select {
		case c := <-t.calls:
			c.do()
			close(c.done)
		case code := <-ended:
			return code
		}
	}
}

// Do has a function run there, and returns when it has; or ctx's error when that ends first, before
// the function's turn has come. What has begun is waited for.
func (t *Thread) Do(ctx context.Context, do func()) error {
	c := call{do: do, done: make(chan struct{})}
	select {
	case t.calls <- c:
		<-c.done
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
