package nativemsg

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/localpasskey/localpasskey/internal/client"
)

// Protocol is the version of the messages; another one is the browser's to serve.
const Protocol = 1

// question is what the extension asks. The origins are the browser's word about the port
// that the page's request came by.
type question struct {
	Protocol    int             `json:"protocol"`
	Op          string          `json:"op"`
	Origin      string          `json:"origin"`
	TopOrigin   string          `json:"topOrigin"`
	CrossOrigin bool            `json:"crossOrigin"`
	Activated   bool            `json:"activated"`
	Options     json.RawMessage `json:"options"`
}

// answer is one of: asking, which another follows; a result; an exception for the page;
// or nothing, which leaves the request to the browser.
type answer struct {
	Protocol int               `json:"protocol"`
	Asking   bool              `json:"asking,omitempty"`
	Result   any               `json:"result,omitempty"`
	Error    *client.Exception `json:"error,omitempty"`
	Browser  bool              `json:"browser,omitempty"`
}

// Serve answers the messages of in on out until in ends, ctx ends, or one of the two is no
// stream of native messages. The end of in, and of ctx, withdraws what is asked.
func (h *Host) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	messages := make(chan []byte, 1)
	go func() { cancel(read(in, messages)) }()
	for {
		select {
		case message := <-messages:
			if err := h.serve(ctx, message, out); err != nil {
				return ended(err)
			}
		case <-ctx.Done():
			return ended(context.Cause(ctx))
		}
	}
}

// ended tells the browser's end of the stream, and being told to end, which are no faults,
// from others.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// read hands on messages until there are no more; it gives why. Who does not wait for
// answers is no extension of ours.
func read(in io.Reader, messages chan<- []byte) error {
	for {
		message, err := readFrame(in)
		if err != nil {
			return err
		}
		select {
		case messages <- message:
		default:
			return errFrame
		}
	}
}

// serve answers one message.
func (h *Host) serve(ctx context.Context, message []byte, out io.Writer) error {
	var q question
	if err := client.Decode(message, &q); err != nil {
		return errors.Join(errFrame, err)
	}
	if q.Protocol != Protocol {
		return write(out, answer{Protocol: Protocol, Browser: true})
	}
	var asking error
	a := h.answer(ctx, &q, func() { asking = write(out, answer{Protocol: Protocol, Asking: true}) })
	if asking != nil {
		return asking
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // nobody listens any more
	}
	a.Protocol = Protocol
	return write(out, a)
}

func write(out io.Writer, a answer) error {
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return writeFrame(out, body)
}
