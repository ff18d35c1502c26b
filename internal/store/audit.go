package store

import (
	"time"

	"go.etcd.io/bbolt"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/store/seal"
	"github.com/localpasskey/localpasskey/internal/store/trail"
)

// Note adds an entry to the audit trail. It returns at once; the entry is written
// within 1 s.
func (s *Store) Note(e ctap.AuditEntry) {
	s.noteMu.Lock()
	defer s.noteMu.Unlock()
	if s.notes.Empty() {
		s.flushSoon()
	}
	s.notes.Add(e)
}

// Audit reads the audit trail, with the entries that wait written first.
func (s *Store) Audit(req ctap.AuditRequest) (*ctap.AuditResponse, error) {
	s.noteMu.Lock()
	empty := s.notes.Empty()
	s.noteMu.Unlock()
	if !empty {
		if err := s.flush(); err != nil {
			return nil, err
		}
	}
	var response *ctap.AuditResponse
	err := s.read(func(t *table) error {
		log, err := trail.Open(t.entries, t.keys)
		if err != nil {
			return err
		}
		response = log.Read(req)
		return nil
	})
	return response, err
}

func (t *table) appendTrail(entries []ctap.AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	log, err := trail.Open(t.entries, t.keys)
	if err != nil {
		return err
	}
	return log.Append(entries...)
}

func beginTrail(tx *bbolt.Tx, k *seal.Keys, first ctap.AuditEntry) error {
	log, err := trail.Begin(tx.Bucket([]byte(trail.Bucket)), k)
	if err != nil {
		return err
	}
	return log.Append(first)
}

// firstEntry is what begins the trail of a store whose generation has changed: it is
// new, or a reset had been cut short.
func firstEntry(generationBefore []byte) ctap.AuditEntry {
	e := ctap.AuditEntry{Time: time.Now().UnixMilli(), Event: ctap.AuditSetUp}
	if len(generationBefore) > 0 {
		e.Event, e.Detail = ctap.AuditReset, "finished at the daemon's next start"
	}
	return e
}
