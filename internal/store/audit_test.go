package store_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/store"
	"github.com/localpasskey/localpasskey/internal/store/trail"
)

// reader answers CommandAudit from a store, as an authenticator does.
type reader struct {
	ctap.Authenticator

	s *store.Store
}

func (r reader) Vendor(_ context.Context, _ ctap.Command, params cbor.Raw) (cbor.Raw, error) {
	var req ctap.AuditRequest
	if len(params) > 0 {
		if err := cbor.Unmarshal(params, &req); err != nil {
			return nil, err
		}
	}
	log, err := r.s.Audit(req)
	if err != nil {
		return nil, err
	}
	return cbor.Marshal(log)
}

func readTrail(t *testing.T, s *store.Store) *ctap.AuditResponse {
	t.Helper()
	log, err := ctap.ReadTrail(t.Context(), reader{s: s})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// written makes a store whose trail has n entries after the first.
func written(t *testing.T, n int) string {
	t.Helper()
	path := newPath(t)
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Unlock(key(1), generation(1)); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		s.Note(ctap.AuditEntry{Event: ctap.AuditUsed, RPID: fmt.Sprintf("site%d.example", i), Account: "alice@somewhere"})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// editTrail changes the trail's bucket behind the store's back.
func editTrail(t *testing.T, path string, change func(*bbolt.Bucket) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return change(tx.Bucket([]byte(trail.Bucket))) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// TestBrokenTrail holds that each change of an entry is found, where it is.
func TestBrokenTrail(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bbolt.Bucket) error
		broken uint64
		why    string
	}{
		"nothing": {func(*bbolt.Bucket) error { return nil }, 0, ""},
		"a byte": {func(b *bbolt.Bucket) error {
			value := append([]byte(nil), b.Get(number(4))...)
			value[len(value)/2] ^= 1
			return b.Put(number(4), value)
		}, 4, "it was changed"},
		"one gone": {func(b *bbolt.Bucket) error { return b.Delete(number(5)) }, 5, "it is missing"},
		"two changed places": {func(b *bbolt.Bucket) error {
			third, sixth := append([]byte(nil), b.Get(number(3))...), append([]byte(nil), b.Get(number(6))...)
			return errors.Join(b.Put(number(3), sixth), b.Put(number(6), third))
		}, 3, "it was changed"},
		"the last one gone": {func(b *bbolt.Bucket) error { return b.Delete(number(8)) }, 8, "it is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			path := written(t, 7)
			editTrail(t, path, c.change)
			log := readTrail(t, unlocked(t, path))
			if log.Broken != c.broken || log.Why != c.why {
				t.Errorf("broken at %d: %q, want %d: %q", log.Broken, log.Why, c.broken, c.why)
			}
			if c.broken > 0 && uint64(len(log.Entries)) != c.broken-1 {
				t.Errorf("%d entries are shown", len(log.Entries))
			}
		})
	}
}

// TestTrailsHeadChanged holds that a store without an account of its trail is damaged.
func TestTrailsHeadChanged(t *testing.T) {
	path := written(t, 1)
	editTrail(t, path, func(b *bbolt.Bucket) error {
		value := append([]byte(nil), b.Get([]byte("h"))...)
		value[3] ^= 1
		return b.Put([]byte("h"), value)
	})
	if err := openAndUnlock(path, key(1), generation(1)); !errors.Is(err, ctap.IntegrityFailure) {
		t.Errorf("the store opens: %v", err)
	}
}

// TestTrailIsBounded holds that the oldest entries go, and the chain holds from there.
func TestTrailIsBounded(t *testing.T) {
	s := unlocked(t, newPath(t))
	for range (trail.Limit + 500) / 500 {
		for range 500 {
			s.Note(ctap.AuditEntry{Event: ctap.AuditUsed, RPID: "a.example"})
		}
		if _, err := s.Audit(ctap.AuditRequest{Limit: 1}); err != nil {
			t.Fatal(err)
		}
	}
	log := readTrail(t, s)
	if log.Broken != 0 || len(log.Entries) != trail.Limit || log.First != 502 || log.Trimmed == 0 {
		t.Errorf("%d entries from %d on, some gone at %d, broken at %d (%s)", len(log.Entries), log.First, log.Trimmed, log.Broken, log.Why)
	}
}

// TestTrailBegins holds that a reset begins a trail anew, with an entry of its own.
func TestTrailBegins(t *testing.T) {
	path := written(t, 3)
	s := unlocked(t, path)
	log := readTrail(t, s)
	if log.Entries[0].Event != ctap.AuditSetUp || len(log.Entries) != 4 {
		t.Errorf("a new store's trail is %+v", log.Entries)
	}
	s.Note(ctap.AuditEntry{Event: ctap.AuditUsed, RPID: "a.example"})
	if err := s.Erase(key(2), generation(2), ctap.AuditEntry{Event: ctap.AuditReset, Detail: "3 passkeys"}); err != nil {
		t.Fatal(err)
	}
	if log = readTrail(t, s); len(log.Entries) != 1 || log.Entries[0].Event != ctap.AuditReset || log.Entries[0].Detail != "3 passkeys" {
		t.Errorf("after a reset the trail is %+v", log.Entries)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if err := s.Unlock(key(3), generation(3)); err != nil { // a reset that was cut short
		t.Fatal(err)
	}
	if log = readTrail(t, s); len(log.Entries) != 1 || log.Entries[0].Event != ctap.AuditReset {
		t.Errorf("after a reset that was cut short the trail is %+v", log.Entries)
	}
}

// TestNoteIsWrittenSoon looks into a copy of the file, as after a power cut: nothing at
// once, and the entry a second later.
func TestNoteIsWrittenSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "store.db")
		s := unlocked(t, path)
		entries := func(name string) int {
			t.Helper()
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			copied := filepath.Join(dir, name)
			if err := os.WriteFile(copied, file, 0o600); err != nil {
				t.Fatal(err)
			}
			return len(readTrail(t, unlocked(t, copied)).Entries)
		}
		s.Note(ctap.AuditEntry{Event: ctap.AuditUsed, RPID: "a.example"})
		if n := entries("at once"); n != 1 {
			t.Errorf("written before the answer: %d entries", n)
		}
		<-time.After(time.Second)
		synctest.Wait()
		if n := entries("later"); n != 2 {
			t.Errorf("a second later there are %d entries", n)
		}
	})
}
