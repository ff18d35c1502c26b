package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// Window is a browser's own window: scripts in it may do what the browser may.
type Window interface {
	// Evaluate is as a Page's.
	Evaluate(ctx context.Context, expression string, into any) error
}

// maxDigits bounds the length that a message of Marionette is announced with.
const maxDigits = 9

// marionette is the protocol of Firefox that reaches its own window in every version;
// WebDriver BiDi does so in newer ones only. One command after another.
type marionette struct {
	mu   sync.Mutex
	conn net.Conn
	in   *bufio.Reader
	last int
}

// dialMarionette connects and takes the greeting.
func dialMarionette(ctx context.Context, port int) (*marionette, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	m := &marionette{conn: conn, in: bufio.NewReader(conn)}
	var greeting struct{ MarionetteProtocol int }
	if err := m.receive(&greeting); err != nil || greeting.MarionetteProtocol != 3 {
		return nil, errors.Join(fmt.Errorf("marionette speaks version %d", greeting.MarionetteProtocol), err, conn.Close())
	}
	return m, nil
}

// call sends a command, waits for its answer and decodes the result; into may be nil.
func (m *marionette) call(ctx context.Context, name string, params, into any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer context.AfterFunc(ctx, func() { _ = m.conn.SetDeadline(time.Unix(1, 0)) })()
	m.last++
	command, err := json.Marshal([]any{0, m.last, name, params})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(m.conn, "%d:%s", len(command), command); err != nil {
		return fmt.Errorf("%s: %w", name, errors.Join(ctx.Err(), err))
	}
	var kind, id int
	var problem *struct{ Error, Message string }
	var result json.RawMessage
	switch err := m.receive(&[]any{&kind, &id, &problem, &result}); {
	case err != nil:
		return fmt.Errorf("%s: %w", name, errors.Join(ctx.Err(), err))
	case kind != 1 || id != m.last:
		return fmt.Errorf("%s: answer %d of kind %d", name, id, kind)
	case problem != nil:
		return fmt.Errorf("%s: %s: %s", name, problem.Error, problem.Message)
	case into == nil:
		return nil
	}
	return json.Unmarshal(result, into)
}

// receive reads one message: its length in digits, a colon, JSON.
func (m *marionette) receive(into any) error {
	length := 0
	for digits := 0; ; digits++ {
		switch b, err := m.in.ReadByte(); {
		case err != nil:
			return err
		case b == ':' && digits > 0:
			message := make([]byte, length)
			if _, err := io.ReadFull(m.in, message); err != nil {
				return err
			}
			return json.Unmarshal(message, into)
		case b < '0' || b > '9' || digits == maxDigits:
			return fmt.Errorf("%q in the length of a message", b)
		default:
			length = 10*length + int(b-'0')
		}
	}
}

// Evaluate works out an expression in the window. What scripts define stays for those
// that follow.
func (m *marionette) Evaluate(ctx context.Context, expression string, into any) error {
	var got struct{ Value json.RawMessage }
	err := m.call(ctx, "WebDriver:ExecuteScript", map[string]any{
		"script": "return " + said(expression), "args": []any{}, "sandbox": "system", "newSandbox": false,
	}, &got)
	if err != nil {
		return err
	}
	return hear(got.Value, into)
}
