package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/process"
)

// Ours: limits of the daemon's side.
const (
	maxConnections = 64                     // of one account
	framePatience  = 10 * time.Second       // for the rest of a frame, either way
	acceptPause    = 100 * time.Millisecond // when the system is out of descriptors
)

// Daemon is what answers behind a socket.
type Daemon interface {
	// Account names the account that a connection of this user is counted against: so
	// many of one are let in, and how many another has does not matter.
	Account(uid int) int
	// Channel opens the channel of one connection.
	Channel(caller ctap.Caller) ctap.Authenticator
	// Attend takes up an agent, or refuses it with a *ctap.Problem or a Status. What
	// it gives is called once, with a way to send questions to the agent, and returns
	// when its context has ended, as it does with the connection.
	Attend(caller ctap.Caller) (attend func(ctx context.Context, questions ctap.Exchanger), err error)
}

// Serve answers callers until ctx ends, and then gives nil; it closes l. It returns
// after the last connection's request has.
func Serve(ctx context.Context, l *Listener, daemon Daemon, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	places := &places{taken: map[int]int{}}
	for {
		conn, err := l.unix.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			log.WarnContext(ctx, "cannot accept a connection", "cause", err)
			pause(ctx, acceptPause)
			continue
		}
		caller, err := peer(conn)
		if err != nil {
			log.WarnContext(ctx, "cannot tell who is calling", "cause", err)
			_ = conn.Close()
			continue
		}
		account := daemon.Account(caller.UID)
		free, news := places.take(account)
		if !free {
			if news {
				log.WarnContext(ctx, "too many connections: more are turned away", "uid", caller.UID, "limit", maxConnections)
			}
			_ = conn.Close()
			continue
		}
		group.Go(func() {
			defer places.leave(account)
			serveConnection(ctx, conn, caller, daemon, log)
		})
	}
}

// places are the connections that each account may have.
type places struct {
	mu    sync.Mutex
	taken map[int]int // by account; more than there are: some were turned away
}

// take gives a place, or none. news: it is the first time since one came free, which
// whoever connects without end cannot make often.
func (p *places) take(account int) (free, news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.taken[account]
	if n <= maxConnections {
		p.taken[account] = n + 1
	}
	return n < maxConnections, n == maxConnections
}

func (p *places) leave(account int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(p.taken[account], maxConnections) - 1
	if p.taken[account] = n; n == 0 {
		delete(p.taken, account)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// connection is one side that is asked: of the daemon a caller's channel, of an agent
// its link to the daemon. Its reader makes jobs; one worker does them in order and is
// the only one to write.
type connection struct {
	conn   *net.UnixConn
	answer func(ctx context.Context, request []byte) []byte
	jobs   chan func() error
}

func serveConnection(ctx context.Context, conn *net.UnixConn, caller ctap.Caller, daemon Daemon, log *slog.Logger) {
	defer func() { _ = conn.Close() }()
	caller.Programs = process.Chain(caller.PID)
	log = log.With("uid", caller.UID, "pid", caller.PID)
	ctx, cancel := context.WithCancel(ctap.WithCaller(ctx, caller))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c := &connection{conn: conn}
	first, err := c.next()
	switch {
	case err != nil:
	case first.kind == kindAttend:
		err = attend(ctx, conn, caller, daemon)
	default:
		channel := daemon.Channel(caller)
		c.answer = func(ctx context.Context, request []byte) []byte { return ctap.Serve(ctx, channel, request) }
		err = c.serve(ctx, cancel, first)
	}
	if err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
		log.DebugContext(ctx, "a caller was cut off", "cause", err)
	}
}

// serve answers the other side, whose first frame is here, until it is gone or does
// not take its answers. cancel closes the connection.
func (c *connection) serve(ctx context.Context, cancel context.CancelFunc, first frame) error {
	c.jobs = make(chan func() error, 1)
	var worker sync.WaitGroup
	var unsent error
	worker.Go(func() {
		defer cancel()
		unsent = c.work(ctx)
	})
	err := c.read(ctx, first)
	cancel()
	close(c.jobs)
	worker.Wait()
	return errors.Join(err, unsent)
}

// read turns frames into jobs until the connection ends. A job's context exists
// before its turn comes, so that a cancel cannot come too early.
func (c *connection) read(ctx context.Context, f frame) (err error) {
	cancel := context.CancelFunc(func() {})
	defer func() { cancel() }()
	for ; err == nil; f, err = c.next() {
		switch f.kind {
		case kindCancel:
			cancel()
		case kindRequest:
			request := f.body
			jobCtx, jobCancel := context.WithCancel(ctx)
			cancel = jobCancel
			select {
			case c.jobs <- func() error {
				defer jobCancel()
				return c.reply(jobCtx, jobCancel, request)
			}:
			default:
				return fmt.Errorf("requests before their turn: %w", errFrame)
			}
		default:
			return fmt.Errorf("kind %d from who asks: %w", f.kind, errFrame)
		}
	}
	return err
}

// next waits for a frame as long as it takes, and for the rest of it not so long.
func (c *connection) next() (frame, error) {
	if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
		return frame{}, err
	}
	k, err := readKind(c.conn)
	if err != nil {
		return frame{}, err
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(framePatience)); err != nil {
		return frame{}, err
	}
	return readFrame(k, c.conn)
}

// work answers jobs in order, until there are no more, the caller takes no answer
// or is gone: what it asked for and was not begun then never is.
func (c *connection) work(ctx context.Context) error {
	for job := range c.jobs {
		if ctx.Err() != nil {
			return nil
		}
		if err := job(); err != nil {
			return err
		}
	}
	return nil
}

// reply carries out one request, which cancel ends. What it waits for goes to the
// other side whenever that changes; the report itself never blocks on it.
func (c *connection) reply(ctx context.Context, cancel context.CancelFunc, request []byte) error {
	progress := make(chan ctap.Progress, 1)
	ctx = ctap.WithProgress(ctx, func(p ctap.Progress) {
		select {
		case <-progress:
		default:
		}
		select {
		case progress <- p:
		default:
		}
	})
	response := make(chan []byte, 1)
	go func() { response <- c.answer(ctx, request) }()
	var last ctap.Progress
	var failed error
	for {
		select {
		case p := <-progress:
			if p != last && failed == nil {
				last = p
				failed = c.write(progressFrame(p))
			}
			if failed != nil {
				cancel()
			}
		case r := <-response:
			defer clear(r) // an agent's has a PIN in it
			if failed != nil {
				return failed
			}
			return c.write(responseFrame(r))
		}
	}
}

func (c *connection) write(f frame) error {
	return send(c.conn, f)
}

// send writes a frame in one piece, and keeps no copy of it.
func send(conn net.Conn, f frame) error {
	if err := conn.SetWriteDeadline(time.Now().Add(framePatience)); err != nil {
		return err
	}
	encoded := f.encode()
	defer clear(encoded)
	_, err := conn.Write(encoded)
	return err
}
