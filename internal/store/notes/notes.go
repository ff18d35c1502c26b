// Package notes gathers what the store writes within a second, and not before an
// answer: uses of credentials, and entries of the audit trail in their order.
//
// Its values are not for several goroutines at once. It refuses to know when and
// where they are written.
package notes

import "github.com/localpasskey/localpasskey/internal/ctap"

// maxEntries bounds the memory that entries take while the disk takes none. The
// oldest stay: they tell how it began.
const maxEntries = 1000

// Notes are what waits. Uses are by credential id.
type Notes struct {
	Uses    map[string]Uses
	Entries []ctap.AuditEntry
}

// Uses are how often a credential was used, and when last, in Unix nanoseconds.
type Uses struct {
	Count uint64
	Last  int64
}

// New makes notes that are empty.
func New() Notes { return Notes{Uses: make(map[string]Uses)} }

// Empty tells whether nothing waits.
func (n *Notes) Empty() bool { return len(n.Uses) == 0 && len(n.Entries) == 0 }

// Used adds uses of a credential. They may come in any order.
func (n *Notes) Used(id string, more Uses) {
	have := n.Uses[id]
	n.Uses[id] = Uses{Count: have.Count + more.Count, Last: max(have.Last, more.Last)}
}

// Add adds entries, as long as there is room.
func (n *Notes) Add(entries ...ctap.AuditEntry) {
	n.Entries = append(n.Entries, entries[:min(len(entries), maxEntries-len(n.Entries))]...)
}

// PutBack keeps what could not be written, before what has come since.
func (n *Notes) PutBack(older Notes) {
	for id, uses := range older.Uses {
		n.Used(id, uses)
	}
	since := n.Entries
	n.Entries = older.Entries
	n.Add(since...)
}
