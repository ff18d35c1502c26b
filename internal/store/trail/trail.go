package trail

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/store/seal"
)

// Bucket is the name of the trail's bucket.
const Bucket = "audit"

// Limit is how many entries are kept: years of signing in, in about 3 MB.
const Limit = 10_000

// page is how many entries one answer holds at most.
const page = 500

// headKey is where the head is: shorter than a sequence number, so it comes first.
const headKey = "h"

const headBytes = 8 + 8 + sha256.Size + 8

// Values is a bucket.
type Values interface {
	Get(key []byte) []byte
	Put(key, value []byte) error
	Delete(key []byte) error
}

// Trail is the trail as one transaction sees it.
type Trail struct {
	values Values
	keys   *seal.Keys
	head   head
}

type head struct {
	first, next uint64
	last        [sha256.Size]byte
	trimmed     int64
}

// Begin writes the head of an empty trail.
func Begin(values Values, keys *seal.Keys) (*Trail, error) {
	t := &Trail{values: values, keys: keys, head: head{first: 1, next: 1}}
	return t, t.saveHead()
}

// Open reads the head.
func Open(values Values, keys *seal.Keys) (*Trail, error) {
	t := &Trail{values: values, keys: keys}
	plain, err := keys.Open(Bucket, []byte(headKey), values.Get([]byte(headKey)))
	if err != nil {
		return nil, seal.Damage("the head of the audit trail does not open")
	}
	b := plain.Reveal()
	if len(b) != headBytes {
		return nil, seal.Damage("the head of the audit trail has another length")
	}
	t.head = head{
		first:   binary.BigEndian.Uint64(b),
		next:    binary.BigEndian.Uint64(b[8:]),
		last:    [sha256.Size]byte(b[16:]),
		trimmed: int64(binary.BigEndian.Uint64(b[16+sha256.Size:])), //nolint:gosec // two's complement both ways
	}
	return t, nil
}

func (t *Trail) saveHead() error {
	b := make([]byte, 0, headBytes)
	b = binary.BigEndian.AppendUint64(b, t.head.first)
	b = binary.BigEndian.AppendUint64(b, t.head.next)
	b = append(b, t.head.last[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.head.trimmed)) //nolint:gosec // two's complement both ways
	return t.values.Put([]byte(headKey), t.keys.Seal(Bucket, []byte(headKey), b))
}

// Append adds entries, and lets the oldest go where there are too many.
func (t *Trail) Append(entries ...ctap.AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	for _, e := range entries {
		e.Sequence, e.Previous = t.head.next, t.head.last
		encoded, err := cbor.Marshal(e)
		if err != nil {
			return err
		}
		key := number(e.Sequence)
		if err := t.values.Put(key, t.keys.Seal(Bucket, key, encoded)); err != nil {
			return err
		}
		t.head.next, t.head.last = e.Sequence+1, sha256.Sum256(encoded)
	}
	for ; t.head.next-t.head.first > Limit; t.head.first++ {
		if err := t.values.Delete(number(t.head.first)); err != nil {
			return err
		}
		t.head.trimmed = time.Now().UnixMilli()
	}
	return t.saveHead()
}

// Read answers ctap.CommandAudit. It ends before an entry that was changed or is
// missing, and says so.
func (t *Trail) Read(req ctap.AuditRequest) *ctap.AuditResponse {
	limit := uint64(page)
	if req.Limit > 0 {
		limit = min(limit, uint64(req.Limit))
	}
	response := &ctap.AuditResponse{First: t.head.first, Next: t.head.next, Head: t.head.last, Trimmed: t.head.trimmed}
	for n := max(req.From, t.head.first); n < t.head.next && uint64(len(response.Entries)) < limit; n++ {
		e, why := t.entry(n)
		if why != "" {
			response.Broken, response.Why = n, why
			break
		}
		response.Entries = append(response.Entries, e)
	}
	return response
}

// entry gives the n-th entry, or why not.
func (t *Trail) entry(n uint64) (e ctap.AuditEntry, why string) {
	sealed := t.values.Get(number(n))
	if sealed == nil {
		return e, "it is missing"
	}
	plain, err := t.keys.Open(Bucket, number(n), sealed)
	if err != nil {
		return e, "it was changed"
	}
	defer plain.Wipe()
	if err := cbor.Unmarshal(plain.Reveal(), &e); err != nil {
		return e, "it cannot be read"
	}
	return e, ""
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
