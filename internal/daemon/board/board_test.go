package board

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/notice"
)

func used(rpID string) ctap.AuditEntry {
	return ctap.AuditEntry{Event: ctap.AuditUsed, RPID: rpID}
}

// What was taken down is told when it has settled, to everybody who waits, and once.
func TestBoard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := New()
		told := make(chan *notice.Response)
		for range 2 {
			go func() {
				r, _ := b.Wait(t.Context(), 0)
				told <- r
			}()
		}
		b.Heed(used("a"))
		time.Sleep(settling / 2)
		b.Heed(used("b"))
		began := time.Now()
		for range 2 {
			if r := <-told; len(r.Notices) != 1 || r.Notices[0].RPID != "a" || r.Last != 1 || r.Missed != 0 {
				t.Errorf("%+v", r)
			}
		}
		if waited := time.Since(began); waited != settling/2 {
			t.Errorf("told after %v, while its response may be on its way", waited)
		}
		if r, err := b.Wait(t.Context(), 1); err != nil || len(r.Notices) != 1 || r.Notices[0].RPID != "b" || r.Last != 2 {
			t.Errorf("%+v, %v", r, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if r, err := b.Wait(ctx, 2); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("told again: %+v", r)
		}
	})
}

// However many there are, so many are kept, and who comes late is told how many it has missed.
func TestBoardIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := New()
		b.Heed(used("first"))
		time.Sleep(settling)
		const many = 3 * notice.MaxNotices
		for i := range many {
			b.Heed(used(fmt.Sprint(i)))
		}
		if r, err := b.Wait(t.Context(), 0); err != nil || r.Last != 1 || r.Missed != 1 || len(r.Notices) != 0 {
			t.Errorf("before they have settled: %+v, %v", r, err)
		}
		time.Sleep(settling)
		synctest.Wait()
		r, err := b.Wait(t.Context(), 1)
		if err != nil || len(r.Notices) != notice.MaxNotices || r.Missed != many-notice.MaxNotices || r.Notices[notice.MaxNotices-1].RPID != fmt.Sprint(many-1) {
			t.Errorf("%d notices, %d missed, %v", len(r.Notices), r.Missed, err)
		}
		if r, err := b.Wait(t.Context(), r.Last-1); err != nil || len(r.Notices) != 1 || r.Missed != 0 {
			t.Errorf("the last: %+v, %v", r, err)
		}
	})
}

// What is told of the audit trail.
func TestHeed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		event  ctap.AuditEvent
		detail string
		kind   notice.Kind
		tries  uint
	}{
		{ctap.AuditCreated, "", notice.Used, 0},
		{ctap.AuditUsed, "", notice.Used, 0},
		{ctap.AuditProbed, "", "", 0},
		{ctap.AuditRefused, "sign in", "", 0},
		{ctap.AuditDeleted, "", "", 0},
		{ctap.AuditPINWrong, "4 tries left", "", 0},
		{ctap.AuditPINWrong, "3 tries left", notice.PIN, 3},
		{ctap.AuditPINWrong, "1 tries left", notice.PIN, 1},
		{ctap.AuditPINLocked, "", notice.PIN, 0},
	} {
		b := New()
		b.Heed(ctap.AuditEntry{Event: c.event, Detail: c.detail})
		var got notice.Notice
		if len(b.kept) > 0 {
			got = b.kept[0]
		}
		if got.Kind != c.kind || got.Tries != c.tries {
			t.Errorf("%s, %q: %+v", c.event, c.detail, got)
		}
	}
}
