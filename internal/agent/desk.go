package agent

import (
	"context"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// verifier is the type of Ask.Verify.
type verifier = func(ctx context.Context, pin secret.Bytes) error

// Desk is the session's end of one connection: questions come in, User is asked.
// Requests come one after another.
type Desk struct {
	user authenticator.User
	open *opened
}

// NewDesk asks user.
func NewDesk(user authenticator.User) *Desk { return &Desk{user: user} }

// opened is a question that the person sees.
type opened struct {
	cancel   context.CancelFunc
	pins     chan secret.Bytes // typed, to be checked
	verdicts chan *verdict
	closed   chan struct{} // when result is there
	result   response
}

// Answer answers one request of the daemon's. When ctx ends the question closes.
func (d *Desk) Answer(ctx context.Context, b []byte) []byte {
	r, err := decodeRequest(b)
	switch {
	case err != nil:
		d.Close()
		return encode(response{Status: byte(ctap.StatusOf(err))})
	case r.Question != nil:
		d.Close()
		d.open = d.ask(r.Question) //nolint:contextcheck // The question outlives this request; see ask.
	case d.open == nil:
		return encode(response{Status: byte(ctap.NotAllowed)})
	default:
		select {
		case d.open.verdicts <- r.Verdict:
		case <-d.open.closed: // the person has closed it meanwhile
		case <-ctx.Done():
		}
	}
	return d.next(ctx)
}

// Close closes the question that is open, if there is one.
func (d *Desk) Close() {
	if d.open == nil {
		return
	}
	d.open.cancel()
	<-d.open.closed
	d.open = nil
}

// next waits for what the person does.
func (d *Desk) next(ctx context.Context) []byte {
	select {
	case pin := <-d.open.pins:
		defer pin.Wipe()
		return encode(response{Status: byte(ctap.StatusOK), PIN: pin.Reveal()})
	case <-d.open.closed:
	case <-ctx.Done():
		d.open.cancel()
		<-d.open.closed
	}
	result := d.open.result
	d.open = nil
	return encode(result)
}

// ask puts the question to the person. It outlives the request that brought it: a
// wrong PIN makes several of one question.
func (d *Desk) ask(q *question) *opened {
	ctx, cancel := context.WithCancel(context.Background())
	o := &opened{
		cancel: cancel, pins: make(chan secret.Bytes), verdicts: make(chan *verdict), closed: make(chan struct{}),
	}
	go func() {
		defer cancel()
		defer close(o.closed)
		approval, err := d.user.Approve(ctx, q.ask(o.verify))
		if err != nil {
			o.result.Status = byte(ctap.StatusOf(err))
			return
		}
		o.result.Account = uint(max(0, approval.Account))
	}()
	return o
}

// verify sends a PIN to be checked and waits for what the hardware says.
func (o *opened) verify(ctx context.Context, pin secret.Bytes) error {
	copied := pin.Clone() // next wipes it
	select {
	case o.pins <- copied:
	case <-ctx.Done():
		copied.Wipe()
		return ctx.Err()
	}
	select {
	case v := <-o.verdicts:
		return v.err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
