package authenticator

import (
	"context"
	"iter"
	"time"

	"github.com/localpasskey/localpasskey/internal/consent"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// Binding is what a key's own policy in the hardware demands before it works.
// It is fixed when the key is made.
type Binding byte

// Ours: the two bindings. The zero value is neither, so that a forgotten field
// cannot pass for the weaker one.
const (
	// PINBound keys work only with proof that the hardware has checked the PIN
	// for this relying party.
	PINBound Binding = 1
	// PresenceOnly keys work without the PIN as long as this generation lives;
	// their UV flag rests on this program, not on the key.
	PresenceOnly Binding = 2
)

// KeyKind is what a key does.
type KeyKind byte

// Ours: the two kinds.
const (
	SigningKey KeyKind = 1 // ECDSA P-256
	MACKey     KeyKind = 2 // HMAC-SHA-256, for hmac-secret
)

// KeySpec describes a key: for Create what to make, for Prepare what was made.
type KeySpec struct {
	Kind     KeyKind
	Binding  Binding
	RPIDHash [32]byte // SHA-256 of the RP ID; PINBound keys are tied to it
}

// Key is a key of the hardware. Handle is opaque and wrapped to this machine.
// Public is set for signing keys; Prepare compares it with what Handle gives.
type Key struct {
	KeySpec
	Handle []byte
	Public cose.Key
}

// Keys makes keys in hardware and readies them for use. A key that was created
// and never stored leaves nothing behind in the hardware.
type Keys interface {
	Create(ctx context.Context, spec KeySpec) (*Key, error)
	// Prepare does all that can be done before the person has said yes, so that
	// only the signature is left. A PINBound key needs grant, or a later
	// Prepared.Verify; a PresenceOnly key takes neither.
	Prepare(ctx context.Context, key *Key, grant Grant) (Prepared, error)
}

// Prepared is a key about to be used once. It must be closed.
type Prepared interface {
	// Verify has the hardware check the PIN (its 16-byte hash) now, as part of
	// this use, and gives the grant it yields for further keys of the same
	// relying party. A wrong PIN is a *WrongPIN; Verify may then be called again.
	Verify(ctx context.Context, pinHash secret.Bytes) (Grant, error)
	// Sign gives an ASN.1 DER ECDSA signature of a SHA-256 digest.
	Sign(ctx context.Context, digest [32]byte) ([]byte, error)
	// MAC gives the 32-byte HMAC-SHA-256 of data under a MACKey.
	MAC(ctx context.Context, data []byte) (secret.Bytes, error)
	Close() error
}

// Eraser ends a generation: after Erase no earlier credential can ever be used
// again, in hardware, and the store is empty. A crash in between is finished at
// the next start.
type Eraser interface {
	Erase(ctx context.Context) error
}

// Store keeps credentials and settings on this machine's disk. What a method
// that returns an error has done is durable when it returns nil.
type Store interface {
	Reader
	Writer
	SettingsStore
}

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

// Writer changes credentials.
type Writer interface {
	// Put stores c, replacing the credential of the same ID and those named in
	// replaced, all in one step.
	Put(c *Credential, replaced ...[]byte) error
	// Delete removes a credential. Deleting what is not there is no error.
	Delete(id []byte) error
	// NextSignCount moves the credential's counter up and gives its new value.
	NextSignCount(id []byte) (uint32, error)
	// Used notes a use. It returns at once; the note is written within 1 s.
	Used(id []byte, at time.Time)
}

// The ports of consent, under the names that machine packages know them by.
type (
	// Grant is consent.Grant.
	Grant = consent.Grant
	// PIN is consent.PIN.
	PIN = consent.PIN
	// WrongPIN is consent.WrongPIN.
	WrongPIN = consent.WrongPIN
	// User is consent.User.
	User = consent.User
	// Ask is consent.Ask.
	Ask = consent.Ask
	// Approval is consent.Approval.
	Approval = consent.Approval
	// Operation is consent.Operation.
	Operation = consent.Operation
	// Settings is consent.Settings.
	Settings = consent.Settings
	// SettingsStore is consent.SettingsStore.
	SettingsStore = consent.SettingsStore
)

// The operations, under the names that prompts know them by.
const (
	OperationRegister = consent.OperationRegister
	OperationSignIn   = consent.OperationSignIn
	OperationSelect   = consent.OperationSelect
	OperationReset    = consent.OperationReset
	OperationPIN      = consent.OperationPIN
	OperationExists   = consent.OperationExists
)

// GrantLifetime bounds every grant, in the hardware.
const GrantLifetime = consent.GrantLifetime

// DefaultSettings hold for a new store and after a reset.
func DefaultSettings() Settings { return consent.DefaultSettings() }
