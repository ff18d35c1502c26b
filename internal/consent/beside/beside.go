// Package beside runs a preparation beside a question, and ends the question where the
// preparation fails.
package beside

import "context"

// Job is a preparation under way.
type Job[U any] struct {
	done chan struct{}
	use  U
	err  error
}

// Run begins prepare; a failure is the cause that fail is called with.
func Run[U any](ctx context.Context, fail context.CancelCauseFunc, prepare func(context.Context) (U, error)) *Job[U] {
	j := &Job[U]{done: make(chan struct{})}
	go func() {
		defer close(j.done)
		if j.use, j.err = prepare(ctx); j.err != nil {
			fail(j.err)
		}
	}()
	return j
}

// Wait gives what was prepared. It may be called again.
func (j *Job[U]) Wait() (U, error) {
	<-j.done
	return j.use, j.err
}
