package store

import (
	"bytes"
	"errors"
	"iter"
	"math"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/store/notes"
	"github.com/localpasskey/localpasskey/internal/store/record"
)

// eachPage is how many credentials Each reads in one transaction.
const eachPage = 64

// read runs do on the data, of an unlocked store.
func (s *Store) read(do func(*table) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.view(func(tx *bbolt.Tx) error {
		t, err := newTable(tx, s.keys)
		if err != nil {
			return err
		}
		return do(t)
	})
}

// write runs do on the data of an unlocked store and makes it durable, with the
// notes that wait written first.
func (s *Store) write(do func(*table) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.takeNotes()
	err := s.update(func(tx *bbolt.Tx) error {
		t, err := newTable(tx, s.keys)
		if err != nil {
			return err
		}
		if err := errors.Join(t.addUses(waiting.Uses), t.appendTrail(waiting.Entries), do(t)); err != nil {
			return err
		}
		return t.saveState()
	})
	if err != nil {
		s.giveBack(waiting)
	}
	return err
}

// ByID gives one credential, or nil where there is none.
func (s *Store) ByID(id []byte) (*authenticator.Credential, error) {
	var found *authenticator.Credential
	err := s.read(func(t *table) error {
		at, ok, err := t.find(id)
		if err != nil || !ok {
			return err
		}
		c, err := t.credential(at.sequence)
		if err != nil {
			return err
		}
		if !bytes.Equal(c.ID, id) {
			return damage("an id leads to another credential")
		}
		s.addWaiting(c)
		found = c
		return nil
	})
	return found, err
}

// ByRP gives a relying party's credentials, newest first.
func (s *Store) ByRP(rpIDHash [32]byte) ([]*authenticator.Credential, error) {
	var found []*authenticator.Credential
	err := s.read(func(t *table) error {
		service := t.keys.Name(bucketServices, rpIDHash[:])
		cursor := t.services.Cursor()
		for key, _ := cursor.Seek(service); bytes.HasPrefix(key, service); key, _ = cursor.Next() {
			sequence, err := record.DecodeSequence(key[len(service):])
			if err != nil {
				return err
			}
			c, err := t.credential(sequence)
			if err != nil {
				return err
			}
			if serviceOf(c) != rpIDHash {
				return damage("a service leads to another's credential")
			}
			s.addWaiting(c)
			found = append(found, c)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Reverse(found)
	return found, nil
}

// Each goes through all credentials, oldest first. It stops at an error. The
// store may be changed meanwhile; what is put or deleted ahead is seen.
func (s *Store) Each() iter.Seq2[*authenticator.Credential, error] {
	return func(yield func(*authenticator.Credential, error) bool) {
		for next, more := uint64(0), true; more; {
			var page []*authenticator.Credential
			err := s.read(func(t *table) (err error) {
				page, next, more, err = t.page(next, eachPage)
				for _, c := range page {
					s.addWaiting(c)
				}
				return err
			})
			for _, c := range page {
				if !yield(c, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// Page gives up to limit credentials from a cursor on, and the next page's cursor: see
// credential.Pager. A cursor is a sequence number; the first is 0, so none follows it.
func (s *Store) Page(cursor uint64, limit int) (page []*authenticator.Credential, next uint64, err error) {
	err = s.read(func(t *table) error {
		var more bool
		page, next, more, err = t.page(cursor, limit)
		if !more {
			next = 0
		}
		for _, c := range page {
			s.addWaiting(c)
		}
		return err
	})
	return page, next, err
}

// Count tells how many credentials there are.
func (s *Store) Count() (int, error) {
	var count int
	err := s.read(func(t *table) error {
		count = int(t.state.Credentials) //nolint:gosec // they all fit on this machine's disk
		return nil
	})
	return count, err
}

// Stored is Count for a store whose key is lost: it needs none, and believes the file.
func (s *Store) Stored() (count int, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	err = s.view(func(tx *bbolt.Tx) error {
		credentials := tx.Bucket([]byte(bucketCredentials))
		if credentials == nil {
			return nil // it was never unlocked
		}
		return credentials.ForEach(func(_, _ []byte) error { count++; return nil })
	})
	return count, err
}

// Put stores c, replacing the credential of the same ID and those named in
// replaced, all in one step. A credential that is put again keeps its place in
// the order, and its counters do not fall.
func (s *Store) Put(c *authenticator.Credential, replaced ...[]byte) error {
	plain, err := record.Encode(c)
	if err != nil {
		return err
	}
	return s.write(func(t *table) error {
		for _, id := range replaced {
			if bytes.Equal(id, c.ID) {
				continue
			}
			if err := t.remove(id); err != nil {
				return err
			}
		}
		return t.put(c, plain)
	})
}

// Delete removes a credential, and adds entries to the audit trail in the same step.
// Deleting what is not there is no error.
func (s *Store) Delete(id []byte, entries ...ctap.AuditEntry) error {
	return s.write(func(t *table) error { return errors.Join(t.remove(id), t.appendTrail(entries)) })
}

// NextSignCount moves the credential's counter up and gives its new value. The
// error for a credential that is not there is ctap.NoCredentials.
func (s *Store) NextSignCount(id []byte) (uint32, error) {
	var count uint32
	err := s.write(func(t *table) error {
		at, ok, err := t.find(id)
		if err != nil {
			return err
		}
		if !ok {
			return ctap.NoCredentials
		}
		n, err := t.counters(at.sequence)
		if err != nil {
			return err
		}
		if n.SignCount == math.MaxUint32 {
			return &ctap.Problem{
				Status: ctap.LimitExceeded,
				What:   "this passkey's sign count is at its end",
				Hint:   "register a new passkey in its place",
			}
		}
		n.SignCount++
		count = n.SignCount
		return t.putCounters(at.sequence, n)
	})
	return count, err
}

// Used notes a use. It returns at once; the note is written within 1 s.
func (s *Store) Used(id []byte, at time.Time) {
	s.noteMu.Lock()
	defer s.noteMu.Unlock()
	if s.notes.Empty() {
		s.flushSoon()
	}
	s.notes.Used(string(id), notes.Uses{Count: 1, Last: record.Nanoseconds(at)})
}

// flushSoon has the notes written after a while. The caller holds noteMu.
func (s *Store) flushSoon() {
	if s.timer == nil {
		s.timer = time.AfterFunc(notePatience, func() { _ = s.flush() }) // a note that fails stays and is tried again
		return
	}
	s.timer.Reset(notePatience)
}

// flush writes the notes that wait.
func (s *Store) flush() error {
	return s.write(func(*table) error { return nil })
}

func (s *Store) takeNotes() notes.Notes {
	s.noteMu.Lock()
	defer s.noteMu.Unlock()
	taken := s.notes
	s.notes = notes.New()
	return taken
}

// giveBack keeps notes for another try.
func (s *Store) giveBack(back notes.Notes) {
	if back.Empty() {
		return
	}
	s.noteMu.Lock()
	defer s.noteMu.Unlock()
	s.notes.PutBack(back)
	if !s.closed && !s.broke.Load() {
		s.flushSoon()
	}
}

// addWaiting lets c show the uses that are not yet written.
func (s *Store) addWaiting(c *authenticator.Credential) {
	s.noteMu.Lock()
	defer s.noteMu.Unlock()
	n, ok := s.notes.Uses[string(c.ID)]
	if !ok {
		return
	}
	c.Uses += n.Count
	c.LastUsed = record.Moment(max(record.Nanoseconds(c.LastUsed), n.Last))
}
