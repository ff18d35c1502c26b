package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// cancelPatience is how long a cancelled request's response is waited for.
const cancelPatience = 2 * time.Second

// Conn is a client's connection: one channel of the daemon's authenticator.
type Conn struct {
	// OnProgress, if set before the first Exchange, is told whenever what a
	// request waits for changes. It runs inside Exchange.
	OnProgress func(ctap.Progress)

	path string
	conn net.Conn

	exchange sync.Mutex // one request at a time
	write    sync.Mutex // one frame at a time
	broken   error      // why no further request is possible
}

var _ ctap.Exchanger = (*Conn)(nil)

// Dial connects to the daemon at path. Its errors are a *ctap.Problem.
func Dial(ctx context.Context, path string) (*Conn, error) {
	conn, err := dial(ctx, path)
	if err != nil {
		return nil, err
	}
	return &Conn{path: path, conn: conn}, nil
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, cannotReach(path, err)
	}
	return conn, nil
}

// Close ends the connection, and with it whatever it waits for.
func (c *Conn) Close() error { return c.conn.Close() }

// Exchange sends a request and waits for its response. When ctx ends it cancels
// the request and gives the response to that, or ctx's error when none comes
// soon; the connection is then of no further use.
func (c *Conn) Exchange(ctx context.Context, request []byte) ([]byte, error) {
	c.exchange.Lock()
	defer c.exchange.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case c.broken != nil:
		return nil, c.broken
	case len(request) > maxRequestBytes:
		return nil, fmt.Errorf("a request of %d bytes: %w", len(request), ctap.RequestTooLarge)
	}
	response, err := c.converse(ctx, request)
	if err != nil {
		_ = c.conn.Close()
		c.broken = cutShort(c.path, err)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, c.broken
	}
	return response, nil
}

func (c *Conn) converse(ctx context.Context, request []byte) ([]byte, error) {
	if err := c.send(frame{kind: kindRequest, body: request}); err != nil {
		return nil, err
	}
	cancelled := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		cancelled <- errors.Join(
			c.conn.SetReadDeadline(time.Now().Add(cancelPatience)),
			c.send(frame{kind: kindCancel}),
		)
	})
	response, err := c.receive()
	if !stop() {
		// The cancel may cross the response: the daemon then ignores it. The
		// deadline must not hit the next request.
		err = errors.Join(err, <-cancelled, c.conn.SetReadDeadline(time.Time{}))
	}
	return response, err
}

func (c *Conn) receive() ([]byte, error) {
	for {
		k, err := readKind(c.conn)
		if err != nil {
			return nil, err
		}
		f, err := readFrame(k, c.conn)
		if err != nil {
			return nil, err
		}
		switch f.kind {
		case kindResponse:
			return f.body, nil
		case kindProgress:
			if c.OnProgress != nil {
				c.OnProgress(ctap.Progress(f.body[0]))
			}
		default:
			return nil, fmt.Errorf("kind %d from the daemon: %w", f.kind, errFrame)
		}
	}
}

func (c *Conn) send(f frame) error {
	c.write.Lock()
	defer c.write.Unlock()
	return send(c.conn, f)
}

func cannotReach(path string, cause error) error {
	p := &ctap.Problem{Status: ctap.Other, Cause: cause}
	switch {
	case errors.Is(cause, fs.ErrNotExist), errors.Is(cause, unix.ECONNREFUSED):
		p.What = "no LocalPasskey daemon answers at " + path
		p.Hint = "is the daemon running? start it with `localpasskey daemon --user`"
	case errors.Is(cause, fs.ErrPermission):
		p.What = "no permission to connect to " + path
		p.Hint = "this socket belongs to another user; run the command as that user, or start your own daemon with `localpasskey daemon --user`"
	default:
		p.What = "cannot connect to " + path
		p.Hint = "the path must be that of a LocalPasskey daemon's socket"
	}
	return p
}

func cutShort(path string, cause error) error {
	return &ctap.Problem{
		Status: ctap.Other,
		What:   "the connection to the LocalPasskey daemon at " + path + " broke off",
		Hint:   "look at the daemon's log, and try again",
		Cause:  cause,
	}
}
