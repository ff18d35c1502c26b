package store

import (
	"encoding/binary"
	"iter"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/store/notes"
	"github.com/localpasskey/localpasskey/internal/store/record"
	"github.com/localpasskey/localpasskey/internal/store/seal"
	"github.com/localpasskey/localpasskey/internal/store/trail"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// table is the data as one transaction sees it.
type table struct {
	keys     *seal.Keys
	state    record.State
	loaded   record.State // as it is in the file
	head     *bbolt.Bucket
	records  *bbolt.Bucket
	counts   *bbolt.Bucket
	ids      *bbolt.Bucket
	services *bbolt.Bucket
	entries  *bbolt.Bucket // the audit trail, which keeps its own account
}

// entry is what an id leads to.
type entry struct {
	sequence uint64
	service  [32]byte // name of the RP ID hash
}

const (
	entryBytes = record.SequenceBytes + 32
)

func newTable(tx *bbolt.Tx, k *seal.Keys) (*table, error) {
	if k == nil {
		return nil, ErrLocked
	}
	t := &table{
		keys:     k,
		head:     tx.Bucket([]byte(bucketHead)),
		records:  tx.Bucket([]byte(bucketCredentials)),
		counts:   tx.Bucket([]byte(bucketCounters)),
		ids:      tx.Bucket([]byte(bucketIDs)),
		services: tx.Bucket([]byte(bucketServices)),
		entries:  tx.Bucket([]byte(trail.Bucket)),
	}
	for name, bucket := range t.buckets() {
		if bucket == nil {
			return nil, damage("the bucket %s is missing", name)
		}
	}
	if t.entries == nil {
		return nil, damage("the bucket %s is missing", trail.Bucket)
	}
	plain, err := k.Open(bucketHead, []byte(entryState), t.head.Get([]byte(entryState)))
	if err != nil {
		return nil, err
	}
	t.loaded, err = record.DecodeState(plain.Reveal())
	t.state = t.loaded
	return t, err
}

// buckets gives the data buckets by name.
func (t *table) buckets() iter.Seq2[string, *bbolt.Bucket] {
	return func(yield func(string, *bbolt.Bucket) bool) {
		_ = yield(bucketCredentials, t.records) && yield(bucketCounters, t.counts) &&
			yield(bucketIDs, t.ids) && yield(bucketServices, t.services)
	}
}

// tallied is the part of a value that goes into the tally: none of a sealed one,
// which vouches for itself and changes with every use.
func tallied(bucket string, value []byte) []byte {
	if bucket == bucketIDs {
		return value
	}
	return nil
}

func (t *table) saveState() error {
	if t.state == t.loaded {
		return nil
	}
	return t.head.Put([]byte(entryState), t.keys.Seal(bucketHead, []byte(entryState), t.state.Encode()))
}

func (t *table) find(id []byte) (entry, bool, error) {
	value := t.ids.Get(t.keys.Name(bucketIDs, id))
	if value == nil {
		return entry{}, false, nil
	}
	if len(value) != entryBytes {
		return entry{}, false, damage("an id leads nowhere")
	}
	return entry{
		sequence: binary.BigEndian.Uint64(value),
		service:  [32]byte(value[record.SequenceBytes:]),
	}, true, nil
}

// credential gives a credential with its counters.
func (t *table) credential(sequence uint64) (*authenticator.Credential, error) {
	key := record.EncodeSequence(sequence)
	sealed := t.records.Get(key)
	if sealed == nil {
		return nil, damage("a credential is missing")
	}
	return t.decode(key, sealed)
}

func (t *table) decode(key, sealed []byte) (*authenticator.Credential, error) {
	plain, err := t.keys.Open(bucketCredentials, key, sealed)
	if err != nil {
		return nil, err
	}
	defer plain.Wipe()
	c, err := record.Decode(plain.Reveal())
	if err != nil {
		return nil, err
	}
	n, err := t.counters(binary.BigEndian.Uint64(key))
	if err != nil {
		return nil, err
	}
	c.SignCount, c.Uses, c.LastUsed = n.SignCount, n.Uses, record.Moment(n.LastUsed)
	return c, nil
}

func (t *table) counters(sequence uint64) (record.Counters, error) {
	key := record.EncodeSequence(sequence)
	plain, err := t.keys.Open(bucketCounters, key, t.counts.Get(key))
	if err != nil {
		return record.Counters{}, err
	}
	return record.DecodeCounters(plain.Reveal())
}

func (t *table) putCounters(sequence uint64, n record.Counters) error {
	key := record.EncodeSequence(sequence)
	return t.counts.Put(key, t.keys.Seal(bucketCounters, key, n.Encode()))
}

// page gives up to limit credentials from sequence number from on, where to go
// on, and whether there is more. With an error it gives those before it.
func (t *table) page(from uint64, limit int) (page []*authenticator.Credential, next uint64, more bool, err error) {
	cursor := t.records.Cursor()
	for key, sealed := cursor.Seek(record.EncodeSequence(from)); key != nil; key, sealed = cursor.Next() {
		sequence, err := record.DecodeSequence(key)
		if err != nil {
			return page, from, false, err
		}
		if len(page) == limit {
			return page, sequence, true, nil
		}
		c, err := t.decode(key, sealed)
		if err != nil {
			return page, from, false, err
		}
		page = append(page, c)
	}
	return page, from, false, nil
}

// put stores c, whose record is plain.
func (t *table) put(c *authenticator.Credential, plain []byte) error {
	n := record.Counters{SignCount: c.SignCount, Uses: c.Uses, LastUsed: record.Nanoseconds(c.LastUsed)}
	rpIDHash := serviceOf(c)
	service := [32]byte(t.keys.Name(bucketServices, rpIDHash[:]))
	at, again, err := t.find(c.ID)
	if err != nil {
		return err
	}
	if again {
		old, err := t.counters(at.sequence)
		if err != nil {
			return err
		}
		n = n.Merge(old)
	} else {
		at.sequence = t.state.Next
		t.state.Next++
		t.state.Credentials++
		t.add(bucketCredentials, record.EncodeSequence(at.sequence), nil)
		t.add(bucketCounters, record.EncodeSequence(at.sequence), nil)
	}
	if !again || at.service != service {
		if err := t.index(c.ID, at, service, again); err != nil {
			return err
		}
	}
	key := record.EncodeSequence(at.sequence)
	if err := t.records.Put(key, t.keys.Seal(bucketCredentials, key, plain)); err != nil {
		return err
	}
	return t.putCounters(at.sequence, n)
}

// index lets id and service lead to the sequence number, instead of what led
// there before, if anything did.
func (t *table) index(id []byte, at entry, service [32]byte, again bool) error {
	if again {
		if err := t.unindex(id, at); err != nil {
			return err
		}
	}
	name := t.keys.Name(bucketIDs, id)
	value := slices.Concat(record.EncodeSequence(at.sequence), service[:])
	t.add(bucketIDs, name, value)
	if err := t.ids.Put(name, value); err != nil {
		return err
	}
	key := slices.Concat(service[:], record.EncodeSequence(at.sequence))
	t.add(bucketServices, key, nil)
	return t.services.Put(key, nil)
}

func (t *table) unindex(id []byte, at entry) error {
	name := t.keys.Name(bucketIDs, id)
	t.add(bucketIDs, name, slices.Concat(record.EncodeSequence(at.sequence), at.service[:]))
	if err := t.ids.Delete(name); err != nil {
		return err
	}
	key := slices.Concat(at.service[:], record.EncodeSequence(at.sequence))
	t.add(bucketServices, key, nil)
	return t.services.Delete(key)
}

// remove deletes a credential, if it is there, without reading its record: a
// damaged one can be deleted too.
func (t *table) remove(id []byte) error {
	at, ok, err := t.find(id)
	if err != nil || !ok {
		return err
	}
	if err := t.unindex(id, at); err != nil {
		return err
	}
	key := record.EncodeSequence(at.sequence)
	t.add(bucketCredentials, key, nil)
	t.add(bucketCounters, key, nil)
	t.state.Credentials--
	if err := t.records.Delete(key); err != nil {
		return err
	}
	return t.counts.Delete(key)
}

// add counts an entry into the tally, or, the second time, out of it.
func (t *table) add(bucket string, key, value []byte) {
	t.keys.Count(&t.state.Tally, bucket, key, tallied(bucket, value))
}

// addUses writes uses down. Those of credentials that are gone are dropped.
func (t *table) addUses(all map[string]notes.Uses) error {
	for id, waiting := range all {
		at, ok, err := t.find([]byte(id))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		n, err := t.counters(at.sequence)
		if err != nil {
			return err
		}
		n.Uses += waiting.Count
		n.LastUsed = max(n.LastUsed, waiting.Last)
		if err := t.putCounters(at.sequence, n); err != nil {
			return err
		}
	}
	return nil
}

func serviceOf(c *authenticator.Credential) [32]byte { return webauthn.RPIDHash(c.RP.ID) }
