package credential

import (
	"iter"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Reader finds credentials. Returned values are the caller's own.
type Reader interface {
	// ByID gives one credential, or nil where there is none.
	ByID(id []byte) (*Credential, error)
	// ByRP gives a relying party's credentials, newest first.
	ByRP(rpIDHash [32]byte) ([]*Credential, error)
	// Each goes through all credentials, oldest first. It stops at an error.
	Each() iter.Seq2[*Credential, error]
	// Count tells how many credentials there are.
	Count() (int, error)
}

// Pager finds credentials page by page, each for the price of what is on it.
type Pager interface {
	// Page gives up to limit credentials from a cursor on, oldest first, and the cursor
	// of the next page. Cursor 0 is the beginning, and as the next one the end. What is
	// put or deleted meanwhile moves no cursor.
	Page(cursor uint64, limit int) (page []*Credential, next uint64, err error)
}

// Writer changes credentials.
type Writer interface {
	// Put stores c, replacing the credential of the same ID and those named in
	// replaced, all in one step.
	Put(c *Credential, replaced ...[]byte) error
	// Delete removes a credential, and adds entries to the audit trail in the same step.
	// Deleting what is not there is no error.
	Delete(id []byte, entries ...ctap.AuditEntry) error
	// NextSignCount moves the credential's counter up and gives its new value.
	NextSignCount(id []byte) (uint32, error)
	// Used notes a use. It returns at once; the note is written within 1 s.
	Used(id []byte, at time.Time)
}
