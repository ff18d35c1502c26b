package storetest

import (
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

// trail holds that entries come back in their order, that a deletion's own entry comes
// with it, and that the chain fits.
func trail(t *testing.T, s authenticator.Store) {
	start := readTrail(t, s)
	c := Credential(t, "a.example", 1)
	put(t, s, c)
	s.Note(ctap.AuditEntry{Event: ctap.AuditCreated, RPID: "a.example", Programs: []string{"firefox"}})
	s.Note(ctap.AuditEntry{Event: ctap.AuditUsed, RPID: "a.example"})
	if err := s.Delete(c.ID, ctap.AuditEntry{Event: ctap.AuditDeleted, RPID: "a.example"}); err != nil {
		t.Fatal(err)
	}
	log := readTrail(t, s)
	got := log.Entries[len(start.Entries):]
	if len(got) != 3 || got[0].Event != ctap.AuditCreated || got[1].Event != ctap.AuditUsed || got[2].Event != ctap.AuditDeleted {
		t.Fatalf("the trail tells of %+v", got)
	}
	before := start.Head
	for _, e := range got {
		if e.Previous != before {
			t.Errorf("entry %d does not follow the one before", e.Sequence)
		}
		hash, err := e.Hash()
		if err != nil {
			t.Fatal(err)
		}
		before = hash
	}
	if before != log.Head || log.Next != got[2].Sequence+1 {
		t.Errorf("the head is %x of %d, want %x of %d", log.Head, log.Next, before, got[2].Sequence+1)
	}
	page, err := s.Audit(ctap.AuditRequest{From: got[1].Sequence, Limit: 1})
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Event != ctap.AuditUsed {
		t.Errorf("one entry from the second on: %+v, %v", page, err)
	}
	page, err = s.Audit(ctap.AuditRequest{From: log.Next + 100})
	if err != nil || len(page.Entries) != 0 {
		t.Errorf("beyond the end: %+v, %v", page, err)
	}
}

func readTrail(t *testing.T, s authenticator.Store) *ctap.AuditResponse {
	t.Helper()
	log, err := s.Audit(ctap.AuditRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return log
}
