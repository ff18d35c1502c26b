package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// ErrGone is a question to an agent whose connection has ended.
var ErrGone = errors.New("the agent is gone")

// Attend offers itself to the daemon at path as the agent of this process's user and
// answers its questions, one after another, until ctx ends, and then gives nil. taken
// is called when the daemon has taken it up. A daemon that refuses gives its *ctap.Problem
// or Status, one that goes a *ctap.Problem.
func Attend(ctx context.Context, path string, taken func(), answer func(ctx context.Context, question []byte) []byte) error {
	made, err := dial(ctx, path)
	if err != nil {
		return err
	}
	conn, ok := made.(*net.UnixConn)
	if !ok {
		return errors.Join(fmt.Errorf("%s is no Unix socket", path), made.Close())
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	hangUp := context.AfterFunc(inner, func() { _ = conn.Close() })
	defer hangUp()
	defer func() { _ = conn.Close() }()
	c := &connection{conn: conn, answer: answer}
	err = c.offer()
	if err == nil {
		taken()
		var first frame
		if first, err = c.next(); err == nil {
			err = c.serve(inner, cancel, first)
		}
	}
	_, status := errors.AsType[ctap.Status](err)
	switch {
	case ctx.Err() != nil:
		return nil
	case status: // a Problem of the daemon's has one too
		return err
	default:
		return cutShort(path, err)
	}
}

// offer asks the daemon to be taken up. It gives the daemon's refusal as its error.
func (c *connection) offer() error {
	if err := c.write(frame{kind: kindAttend}); err != nil {
		return err
	}
	f, err := c.next()
	if err == nil && f.kind != kindResponse {
		err = fmt.Errorf("kind %d from the daemon: %w", f.kind, errFrame)
	}
	if err == nil {
		_, err = ctap.ReadVendorResponse(f.body)
	}
	return err
}

// attend is the daemon's side: from the answer on it is the one that asks.
func attend(ctx context.Context, conn *net.UnixConn, caller ctap.Caller, daemon Daemon) error {
	do, err := daemon.Attend(caller)
	if sent := send(conn, responseFrame(ctap.VendorResponse(nil, err))); err != nil || sent != nil {
		return errors.Join(err, sent)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &link{conn: conn, turn: make(chan struct{}, 1), answers: make(chan []byte), gone: ctx.Done()}
	received := make(chan error, 1)
	go func() {
		defer cancel()
		received <- l.receive()
	}()
	do(ctx, l)
	cancel()
	_ = conn.Close() // and with it the reading
	return <-received
}

// link is an agent's connection as the daemon has it: here the daemon asks, and the
// connection is read all the time, so that an agent's end is noticed at once.
type link struct {
	conn    *net.UnixConn
	turn    chan struct{} // held while a question is open
	answers chan []byte
	gone    <-chan struct{}
}

// receive reads answers until the connection ends. An answer that nobody waits for
// ends it, for the next question would take it for its own.
func (l *link) receive() error {
	c := &connection{conn: l.conn}
	for {
		f, err := c.next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return err
		case f.kind != kindResponse:
			return fmt.Errorf("kind %d from an agent: %w", f.kind, errFrame)
		}
		select {
		case l.answers <- f.body:
		case <-l.gone:
			return nil
		case <-time.After(cancelPatience):
			return fmt.Errorf("an answer that nobody waits for: %w", errFrame)
		}
	}
}

// Exchange sends a question and waits for its answer. When ctx ends it cancels the
// question and gives the answer to that; an agent that gives none soon is hung up on.
func (l *link) Exchange(ctx context.Context, question []byte) ([]byte, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.gone:
		return nil, ErrGone
	}
	if err := send(l.conn, frame{kind: kindRequest, body: question}); err != nil {
		return nil, l.hangUp(err)
	}
	select {
	case answer := <-l.answers:
		return answer, nil
	case <-l.gone:
		return nil, ErrGone
	case <-ctx.Done():
	}
	if err := send(l.conn, frame{kind: kindCancel}); err != nil {
		return nil, l.hangUp(err)
	}
	timer := time.NewTimer(cancelPatience)
	defer timer.Stop()
	select {
	case answer := <-l.answers:
		return answer, nil
	case <-l.gone:
		return nil, ErrGone
	case <-timer.C:
		return nil, l.hangUp(ctx.Err())
	}
}

func (l *link) hangUp(cause error) error {
	_ = l.conn.Close() // receive notices
	return errors.Join(ErrGone, cause)
}
