package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// maxMessageBytes bounds what a browser sends at once; pictures are the largest.
const maxMessageBytes = 64 << 20

// conn is a WebSocket with commands and answers in JSON, as the DevTools protocol and
// WebDriver BiDi both have them. Commands may overlap.
type conn struct {
	ws   *websocket.Conn
	stop context.CancelFunc

	mu      sync.Mutex
	last    int
	waiting map[int]chan answer
	ended   error // set when nothing more is received
}

// command is one of either protocol. Session is a DevTools session's, for commands to
// a page.
type command struct {
	ID      int    `json:"id"`
	Session string `json:"sessionId,omitempty"`
	Method  string `json:"method"`
	Params  any    `json:"params"`
}

// answer is one of either protocol: the first has an object for an error, the second
// a word, and says more beside it. Events have no number.
type answer struct {
	ID      *int            `json:"id"`
	Result  json.RawMessage `json:"result"`
	Error   json.RawMessage `json:"error"`
	Message string          `json:"message"`
}

// dial connects; ctx bounds that, and not the connection's life.
func dial(ctx context.Context, url string) (*conn, error) {
	ws, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(maxMessageBytes)
	alive, stop := context.WithCancel(context.WithoutCancel(ctx))
	c := &conn{ws: ws, stop: stop, waiting: make(map[int]chan answer)}
	go c.receive(alive)
	return c, nil
}

// close hangs up; commands that wait fail.
func (c *conn) close() {
	c.stop()
	_ = c.ws.CloseNow() // the browser may have hung up
}

func (c *conn) receive(ctx context.Context) {
	for {
		var a answer
		if err := wsjson.Read(ctx, c.ws, &a); err != nil {
			c.end(err)
			return
		}
		if a.ID == nil {
			continue
		}
		c.mu.Lock()
		if waits := c.waiting[*a.ID]; waits != nil {
			waits <- a
			delete(c.waiting, *a.ID)
		}
		c.mu.Unlock()
	}
}

func (c *conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = fmt.Errorf("the browser has hung up: %w", err)
	for _, waits := range c.waiting {
		close(waits)
	}
	c.waiting = nil
}

// call sends a command, waits for its answer and decodes the result; into may be nil.
func (c *conn) call(ctx context.Context, session, method string, params, into any) error {
	id, waits, err := c.expect()
	if err != nil {
		return err
	}
	defer c.forget(id)
	if err := wsjson.Write(ctx, c.ws, command{id, session, method, params}); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	case a, ok := <-waits:
		switch {
		case !ok:
			return fmt.Errorf("%s: %w", method, c.hungUp())
		case a.Error != nil:
			return fmt.Errorf("%s: %w", method, errors.New(string(a.Error)+" "+a.Message))
		case into == nil:
			return nil
		}
		return json.Unmarshal(a.Result, into)
	}
}

// expect numbers a command and gives where its answer will come.
func (c *conn) expect() (id int, waits chan answer, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return 0, nil, c.ended
	}
	c.last++
	waits = make(chan answer, 1)
	c.waiting[c.last] = waits
	return c.last, waits, nil
}

func (c *conn) forget(id int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

func (c *conn) hungUp() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// said is a script whose promise is, or becomes, the JSON of what the expression
// gives: the two protocols have their own ideas of values, but both know texts.
func said(expression string) string {
	return "(async () => JSON.stringify(await (" + expression + ")) ?? \"null\")()"
}

// hear decodes what a script of said gave: JSON in a text in JSON.
func hear(value json.RawMessage, into any) error {
	if into == nil {
		return nil
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), into)
}
