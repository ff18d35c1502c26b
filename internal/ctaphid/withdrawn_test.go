package ctaphid_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"

	"github.com/localpasskey/localpasskey/internal/ctaphid"
)

// vanishing is a HID device that is withdrawn while a report is being written.
type vanishing struct {
	*pipe
	gone context.CancelFunc
}

func (v vanishing) WriteReport([]byte) error {
	v.gone()
	return os.ErrClosed
}

// Whoever ends Serve closes the device too: what could not be written any more is no
// fault, and a fault it is where nobody has ended it.
func TestWithdrawnWhileWriting(t *testing.T) {
	for name, c := range map[string]struct {
		ended bool
		want  error
	}{"ended": {true, nil}, "not ended": {false, os.ErrClosed}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				p := vanishing{newPipe(), func() {}}
				if c.ended {
					p.gone = cancel
				}
				send(t, p.pipe, "ffffffff 86 0008 01*8")
				err := ctaphid.Serve(ctx, p, newScripted, slog.New(slog.DiscardHandler))
				close(p.closed)
				if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
					t.Errorf("Serve gives %v, want %v", err, c.want)
				}
			})
		})
	}
}
