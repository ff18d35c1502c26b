// Package board keeps, for a while, what people are told of their passkeys.
//
//	audit trail, daemon ──► Heed, Add ──► settles ──► Wait, for everybody who asks
//
// It refuses to know who is told, and how.
package board

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/notice"
)

// settling is how long after it is taken down something is told. By then the response that
// it belongs to has been sent, and the audit trail is on disk.
const settling = time.Second

// Board is where notices are put up. Putting one up waits for nobody; whoever wants to be
// told looks, and those who look too seldom miss some.
type Board struct {
	mu      sync.Mutex
	put     uint64          // how many have been put up in all: the number of the last
	settled uint64          // of those, how many may be told
	kept    []notice.Notice // the last ones that were put up
	more    chan struct{}   // closed when settled grows
}

// New makes an empty one.
func New() *Board { return &Board{more: make(chan struct{})} }

// Heed puts up what people are told of: uses of passkeys, and a PIN that has few tries left.
func (b *Board) Heed(e ctap.AuditEntry) {
	n := notice.Notice{Event: e.Event, RPID: e.RPID, Account: e.Account, Door: e.Door, Programs: e.Programs}
	switch e.Event {
	case ctap.AuditCreated, ctap.AuditUsed:
		n.Kind = notice.Used
	case ctap.AuditPINLocked:
		n.Kind = notice.PIN
	case ctap.AuditPINWrong:
		n.Kind = notice.PIN
		if _, err := fmt.Sscanf(e.Detail, "%d", &n.Tries); err != nil || n.Tries > notice.Few {
			return
		}
	default: // the audit trail tells
		return
	}
	b.Add(n)
}

// Add puts a notice up, to be told soon.
func (b *Board) Add(n notice.Notice) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put++
	number := b.put
	b.kept = append(b.kept[max(0, len(b.kept)+1-notice.MaxNotices):], n)
	time.AfterFunc(settling, func() { b.settle(number) })
}

func (b *Board) settle(number uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if number > b.settled {
		b.settled = number
		close(b.more)
		b.more = make(chan struct{})
	}
}

// Last is the number of the last notice that may be told.
func (b *Board) Last() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.settled
}

// Wait gives what comes after a number, as soon as there is something.
func (b *Board) Wait(ctx context.Context, after uint64) (*notice.Response, error) {
	for {
		b.mu.Lock()
		more, response := b.more, b.since(after)
		b.mu.Unlock()
		if response != nil {
			return response, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// since gives what may be told after a number; nil for nothing. The caller holds mu.
func (b *Board) since(after uint64) *notice.Response {
	if after >= b.settled {
		return nil
	}
	before := b.put - uint64(len(b.kept)) // the number of the one before those that are kept
	from := min(max(after, before), b.settled)
	response := &notice.Response{Last: b.settled, Missed: from - after}
	if from >= before {
		response.Notices = slices.Clone(b.kept[from-before : b.settled-before])
	}
	return response
}
