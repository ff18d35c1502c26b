package notify

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/notice"
)

// Level is how much is told.
type Level string

// Ours: the levels.
const (
	None     Level = "none"
	Warnings Level = "warnings" // few tries of the PIN are left; the passkeys are gone
	Uses     Level = "uses"     // the warnings, and each use of a passkey
)

// Ours.
const (
	// pause comes after each notification: what happens meanwhile is told as one.
	pause = 3 * time.Second
	// again is how long a daemon that broke off is left alone.
	again = 5 * time.Second
)

// Connect reaches the daemon on a connection of its own.
type Connect func(ctx context.Context) (ctap.Authenticator, io.Closer, error)

// Teller tells the person at one desktop.
type Teller struct {
	// Bus is the address of the session's bus, "" for none.
	Bus   string
	Level Level
	Log   *slog.Logger

	mourned bool   // it was told that the passkeys are gone
	silent  bool   // the log has been told that nothing is shown
	pinID   uint32 // of the notification about the PIN's tries, which the next one replaces
}

// Run tells what the daemon tells, until ctx ends or the daemon turns out to know of no
// notices.
func (t *Teller) Run(ctx context.Context, connect Connect) {
	if t.Level == None {
		return
	}
	for {
		err := t.listen(ctx, connect)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, ctap.InvalidCommand):
			t.Log.InfoContext(ctx, "this daemon is of a version that tells nothing afterwards: there will be no notifications")
			return
		}
		if !sleep(ctx, again) {
			return
		}
	}
}

// listen tells what comes over one connection.
func (t *Teller) listen(ctx context.Context, connect Connect) error {
	daemon, conn, err := connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // All that was asked has been answered.
	var request notice.Request
	for {
		response, err := ctap.Call[notice.Response](ctx, daemon, notice.Command, request)
		if err != nil {
			return err
		}
		request = notice.Request{Wait: true, After: response.Last}
		if t.tell(ctx, response) && !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

// tell shows what is worth it, and tells whether that was anything.
func (t *Teller) tell(ctx context.Context, r *notice.Response) (shown bool) {
	var uses []notice.Notice
	var pin, gone *notice.Notice
	for i := range r.Notices {
		switch n := &r.Notices[i]; n.Kind {
		case notice.Used:
			uses = append(uses, *n)
			t.mourned = false
		case notice.PIN:
			pin = n // the last one counts
		case notice.Gone:
			gone = n
		default: // a newer daemon's
		}
	}
	if t.Level == Uses && (len(uses) > 0 || r.Missed > 0) {
		t.show(ctx, wordsOfUses(uses, r.Missed), 0)
		shown = true
	}
	if pin != nil {
		t.pinID = t.show(ctx, wordsOfPIN(pin), t.pinID)
		shown = true
	}
	if gone != nil && !t.mourned {
		t.show(ctx, wordsOfLoss(gone), 0)
		t.mourned, shown = true, true
	}
	return shown
}

// show shows a notification, in place of the one of that number, and gives its own; 0 for
// none.
func (t *Teller) show(ctx context.Context, w words, replaces uint32) uint32 {
	id, err := show(ctx, t.Bus, w, replaces)
	switch {
	case err == nil:
		t.silent = false
	case ctx.Err() == nil && !t.silent:
		t.silent = true
		t.Log.WarnContext(ctx, "this session shows no notifications", "cause", err)
	}
	return id
}

// sleep tells whether it was not cut short.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
