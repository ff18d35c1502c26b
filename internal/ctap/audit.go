package ctap

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/localpasskey/localpasskey/internal/cbor"
)

// CommandAudit reads the caller's audit trail. It is one of the socket's own commands.
const CommandAudit Command = 0x54

// AuditEvent is what an entry of the audit trail tells of.
type AuditEvent string

// Ours: the events.
const (
	AuditSetUp      AuditEvent = "set up" // a trail begins
	AuditReset      AuditEvent = "reset"  // a trail begins anew, and every passkey is gone
	AuditCreated    AuditEvent = "created"
	AuditReplaced   AuditEvent = "replaced" // deleted by a new one of the same account
	AuditUsed       AuditEvent = "used"
	AuditProbed     AuditEvent = "probed" // a signature without presence
	AuditRefused    AuditEvent = "refused"
	AuditRenamed    AuditEvent = "renamed"
	AuditDeleted    AuditEvent = "deleted"
	AuditHidden     AuditEvent = "hidden"
	AuditRestored   AuditEvent = "restored" // after it was hidden
	AuditPINSet     AuditEvent = "PIN set"
	AuditPINChanged AuditEvent = "PIN changed"
	AuditPINWrong   AuditEvent = "PIN wrong"
	AuditPINLocked  AuditEvent = "PIN locked"
	AuditFinger     AuditEvent = "finger"           // it stood for the PIN; the detail says for what
	AuditSettings   AuditEvent = "settings changed" // what is demanded; the detail says what now
)

// maxAuditPrograms is how many programs of a chain an entry names.
const maxAuditPrograms = 3

// AuditEntry is one entry of the audit trail. Its hash covers the one before it, so
// that none can be changed, taken out or put in without breaking those that follow.
type AuditEntry struct {
	Sequence uint64     `cbor:"1,keyasint"`
	Time     int64      `cbor:"2,keyasint"` // Unix milliseconds
	Event    AuditEvent `cbor:"3,keyasint"`
	RPID     string     `cbor:"4,keyasint,omitempty"`
	Account  string     `cbor:"5,keyasint,omitempty"`
	// Detail is what was refused, or the name after renaming.
	Detail string `cbor:"6,keyasint,omitempty"`
	Door   Door   `cbor:"7,keyasint,omitempty"`
	// Programs is a hint: the asking program and its parents, nearest first.
	Programs []string `cbor:"8,keyasint,omitempty"`
	// Previous is the hash of the entry before.
	Previous [sha256.Size]byte `cbor:"9,keyasint"`
}

// NewAuditEntry makes an entry about what the caller in ctx has asked for. Whoever
// keeps it gives it its place in the chain.
func NewAuditEntry(ctx context.Context, event AuditEvent, rpID, account string) AuditEntry {
	caller, _ := CallerFrom(ctx)
	programs := caller.Programs
	return AuditEntry{
		Time: time.Now().UnixMilli(), Event: event, RPID: rpID, Account: account,
		Door: caller.Door, Programs: slices.Clone(programs[:min(len(programs), maxAuditPrograms)]),
	}
}

// Hash is SHA-256 of the entry's canonical CBOR.
func (e *AuditEntry) Hash() ([sha256.Size]byte, error) {
	encoded, err := cbor.Marshal(e)
	return sha256.Sum256(encoded), err
}

// AuditRequest asks for entries from a sequence number on, oldest first. A Limit of 0
// is as many as one answer holds.
type AuditRequest struct {
	From  uint64 `cbor:"1,keyasint,omitempty"`
	Limit uint   `cbor:"2,keyasint,omitempty"`
}

// AuditResponse is a page of the trail. First is the oldest entry there is: those
// before it, if any, went because the trail is full. Next is the number that the next
// entry gets, Head the hash of the last one.
type AuditResponse struct {
	First   uint64            `cbor:"1,keyasint"`
	Next    uint64            `cbor:"2,keyasint"`
	Head    [sha256.Size]byte `cbor:"3,keyasint"`
	Entries []AuditEntry      `cbor:"4,keyasint,omitempty"`
	// Trimmed is when entries went last, in Unix milliseconds; 0 for never.
	Trimmed int64 `cbor:"5,keyasint,omitempty"`
	// Broken is the entry that was changed, is missing or does not follow the one
	// before, and Why; nothing after it is shown. 0 for none.
	Broken uint64 `cbor:"6,keyasint,omitempty"`
	Why    string `cbor:"7,keyasint,omitempty"`
}

// ReadTrail fetches the whole trail and checks it: see AuditResponse.Broken. What
// happens meanwhile is not in it.
func ReadTrail(ctx context.Context, a Authenticator) (*AuditResponse, error) {
	log, err := Call[AuditResponse](ctx, a, CommandAudit, nil)
	if err != nil {
		return nil, err
	}
	for log.Broken == 0 {
		from := log.First + uint64(len(log.Entries))
		if from >= log.Next {
			break
		}
		page, err := Call[AuditResponse](ctx, a, CommandAudit, AuditRequest{From: from, Limit: uint(log.Next - from)})
		if err != nil {
			return nil, err
		}
		if len(page.Entries) == 0 && page.Broken == 0 || page.First > from {
			return nil, &Problem{Status: Other, What: "the audit trail grew too fast to be read", Hint: "try again"}
		}
		log.Entries, log.Broken, log.Why = append(log.Entries, page.Entries...), page.Broken, page.Why
	}
	return log, log.check()
}

// check holds the entries to the chain.
func (r *AuditResponse) check() error {
	var before [sha256.Size]byte
	for i := range r.Entries {
		e := &r.Entries[i]
		sequence := r.First + uint64(i)
		// Before the first entry there is nothing, or what has gone.
		if e.Sequence != sequence || (i > 0 || r.First == 1) && e.Previous != before {
			r.Broken, r.Why, r.Entries = sequence, "it does not follow the one before", r.Entries[:i]
			return nil
		}
		var err error
		if before, err = e.Hash(); err != nil {
			return err
		}
	}
	if r.Broken == 0 && before != r.Head {
		r.Broken, r.Why = r.Next-1, "it is not the one that was written last"
	}
	return nil
}
