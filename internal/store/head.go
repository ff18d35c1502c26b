package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/store/record"
	"github.com/localpasskey/localpasskey/internal/store/seal"
	"github.com/localpasskey/localpasskey/internal/store/trail"
)

// Ours: the file's buckets, and the head's entries.
const (
	bucketHead        = "localpasskey"
	bucketCredentials = "credentials"
	bucketCounters    = "counters"
	bucketIDs         = "ids"
	bucketServices    = "services"

	entrySchema     = "schema"     // 4 bytes, big-endian
	entryLedger     = "ledger"     // checked; empty for none
	entryGeneration = "generation" // checked; empty before the first Unlock
	entryCheck      = "check"      // checked, sealed constant: is the key right?
	entryState      = "state"      // sealed state
	entrySettings   = "settings"   // sealed Settings; absent means the default

	schemaBytes = 4
	checkText   = "the key is right"
)

func dataBuckets() []string {
	return []string{bucketCredentials, bucketCounters, bucketIDs, bucketServices, trail.Bucket}
}

// newFile fills the head of an empty file. Every entry is there from the start,
// so that a missing one is damage and never taken for a fresh store.
func newFile(tx *bbolt.Tx) error {
	head, err := tx.CreateBucket([]byte(bucketHead))
	if err != nil {
		return err
	}
	return errors.Join(
		head.Put([]byte(entrySchema), binary.BigEndian.AppendUint32(nil, schema)),
		head.Put([]byte(entryLedger), seal.Checked(nil)),
		head.Put([]byte(entryGeneration), seal.Checked(nil)),
	)
}

// Ledger is the hardware's own record: opaque, kept as it is given, readable
// before Unlock and left alone by Erase.
type Ledger struct{ store *Store }

// Ledger gives access to the hardware's record.
func (s *Store) Ledger() Ledger { return Ledger{store: s} }

// Load gives the record, nil where none was saved.
func (l Ledger) Load() ([]byte, error) {
	l.store.mu.RLock()
	defer l.store.mu.RUnlock()
	var record []byte
	err := l.store.view(func(tx *bbolt.Tx) (err error) {
		record, err = seal.Unchecked(entryLedger, tx.Bucket([]byte(bucketHead)).Get([]byte(entryLedger)))
		return err
	})
	return record, err
}

// Save replaces the record. It is durable when Save returns nil.
func (l Ledger) Save(record []byte) error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	return l.store.update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucketHead)).Put([]byte(entryLedger), seal.Checked(record))
	})
}

// Unlock makes the data accessible with the metadata key (KeyBytes long; the
// caller keeps it) of the hardware's generation. A store of another generation
// is emptied: that finishes a reset that was cut short. A key that does not fit
// and damage are a *ctap.Problem.
func (s *Store) Unlock(key secret.Bytes, generation [16]byte) error {
	k, err := seal.New(key, generation)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []byte
	err = s.view(func(tx *bbolt.Tx) (err error) {
		found, err = seal.Unchecked(entryGeneration, tx.Bucket([]byte(bucketHead)).Get([]byte(entryGeneration)))
		return err
	})
	if err == nil && !bytes.Equal(found, generation[:]) {
		return s.erase(k, generation, firstEntry(found))
	}
	if err == nil {
		err = s.view(func(tx *bbolt.Tx) error { return s.verify(tx, k) })
	}
	return s.adopt(k, err)
}

// Erase empties the store, in one step, for a new generation and its key. The
// ledger stays; the audit trail begins anew with entry.
func (s *Store) Erase(key secret.Bytes, generation [16]byte, entry ctap.AuditEntry) error {
	k, err := seal.New(key, generation)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.erase(k, generation, entry)
}

func (s *Store) erase(k *seal.Keys, generation [16]byte, entry ctap.AuditEntry) error {
	err := s.update(func(tx *bbolt.Tx) error {
		return errors.Join(empty(tx, k, generation), beginTrail(tx, k, entry))
	})
	if err == nil {
		s.takeNotes()
	}
	return s.adopt(k, err)
}

// adopt makes k the keys in use, or forgets it when err says so.
func (s *Store) adopt(k *seal.Keys, err error) error {
	if err != nil {
		k.Wipe()
		return err
	}
	if s.keys != nil {
		s.keys.Wipe()
	}
	s.keys = k
	return nil
}

func empty(tx *bbolt.Tx, k *seal.Keys, generation [16]byte) error {
	for _, name := range dataBuckets() {
		if err := tx.DeleteBucket([]byte(name)); err != nil && !errors.Is(err, bolterrors.ErrBucketNotFound) {
			return err
		}
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	head := tx.Bucket([]byte(bucketHead))
	return errors.Join(
		head.Put([]byte(entryGeneration), seal.Checked(generation[:])),
		head.Put([]byte(entryCheck), seal.Checked(k.Seal(bucketHead, []byte(entryCheck), []byte(checkText)))),
		head.Put([]byte(entryState), k.Seal(bucketHead, []byte(entryState), record.State{}.Encode())),
		head.Delete([]byte(entrySettings)),
		dropValues(head),
	)
}

// verify makes sure that k is the key and that no entry is missing.
func (s *Store) verify(tx *bbolt.Tx, k *seal.Keys) error {
	check, err := seal.Unchecked(entryCheck, tx.Bucket([]byte(bucketHead)).Get([]byte(entryCheck)))
	if err != nil {
		return err
	}
	if _, err := k.Open(bucketHead, []byte(entryCheck), check); err != nil {
		return s.wrongKey()
	}
	t, err := newTable(tx, k)
	if err != nil {
		return err
	}
	if _, err := trail.Open(t.entries, k); err != nil {
		return err
	}
	if err := t.head.ForEach(t.checkHead); err != nil {
		return err
	}
	var sum [32]byte
	count := k.Counter(&sum)
	for name, bucket := range t.buckets() {
		if err := bucket.ForEach(func(key, value []byte) error {
			count(name, key, tallied(name, value))
			return nil
		}); err != nil {
			return err
		}
	}
	if sum != t.state.Tally {
		return damage("entries are missing or were put back")
	}
	return nil
}

// checkHead makes sure that an entry of the head is one that was put there: a damaged
// name would pass for absence, and default settings for those that were chosen.
func (t *table) checkHead(entry, value []byte) error {
	switch name := string(entry); {
	case name == entrySchema, name == entryLedger, name == entryGeneration, name == entryCheck, name == entryState:
		return nil // each has its own check, and its absence is damage
	case name == entrySettings, strings.HasPrefix(name, prefixValue):
		_, err := t.keys.Open(bucketHead, entry, value)
		return err
	default:
		return damage("an entry of the head has no meaning")
	}
}
