package notes

import (
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// TestPutBack holds that what could not be written comes first again, and that there is
// an end to what waits.
func TestPutBack(t *testing.T) {
	older, newer := New(), New()
	older.Used("a", Uses{Count: 2, Last: 9})
	newer.Used("a", Uses{Count: 1, Last: 5})
	older.Add(ctap.AuditEntry{RPID: "first"})
	newer.Add(ctap.AuditEntry{RPID: "second"})
	newer.PutBack(older)
	if got := newer.Uses["a"]; got.Count != 3 || got.Last != 9 {
		t.Errorf("uses: %+v", got)
	}
	if len(newer.Entries) != 2 || newer.Entries[0].RPID != "first" || newer.Entries[1].RPID != "second" {
		t.Errorf("entries: %+v", newer.Entries)
	}
	for range 2 * maxEntries {
		newer.Add(ctap.AuditEntry{})
	}
	if len(newer.Entries) != maxEntries || newer.Entries[0].RPID != "first" {
		t.Errorf("%d entries wait", len(newer.Entries))
	}
	full := New()
	full.Add(ctap.AuditEntry{RPID: "late"})
	full.PutBack(newer)
	if len(full.Entries) != maxEntries || full.Entries[0].RPID != "first" || full.Empty() {
		t.Errorf("%d entries wait", len(full.Entries))
	}
}
