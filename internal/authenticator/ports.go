package authenticator

import (
	"context"
	"iter"
	"time"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
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

// Grant is proof, made and consumed by hardware, that the user was verified for
// one relying party a short while ago. It is memory only.
type Grant interface {
	// Drop forgets the proof.
	Drop()
}

// GrantLifetime bounds every grant, in the hardware.
const GrantLifetime = 60 * time.Second

// PIN is the PIN as the hardware keeps it. Hashes are LEFT(SHA-256(PIN), 16).
type PIN interface {
	// IsSet tells whether a person has chosen a PIN in this generation.
	IsSet() bool
	// Change replaces the PIN; from is the zero Bytes for the first one. A
	// wrong from is a *WrongPIN. When Change returns nil the new PIN is durable
	// and the old one is dead.
	Change(ctx context.Context, from, to secret.Bytes) error
	// Verify checks the PIN. With rpIDHash it gives a grant for that relying
	// party, without one a nil Grant. A wrong PIN is a *WrongPIN; the hardware
	// has counted it by then.
	Verify(ctx context.Context, pinHash secret.Bytes, rpIDHash *[32]byte) (Grant, error)
	// Retries is how many attempts are left, from the hardware's own counter.
	Retries(ctx context.Context) (int, error)
}

// WrongPIN is the hardware's refusal of a PIN. Retries is what is left of the
// generation's attempts; at 0 the PIN is locked for good.
type WrongPIN struct {
	Retries int
}

// Error says what happened.
func (w *WrongPIN) Error() string {
	if w.Retries == 0 {
		return "the PIN is locked"
	}
	return "the PIN is wrong"
}

// Unwrap gives the status a platform expects for a PIN it sent.
func (w *WrongPIN) Unwrap() error {
	if w.Retries == 0 {
		return ctap.PINBlocked
	}
	return ctap.PINInvalid
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

// SettingsStore keeps the settings.
type SettingsStore interface {
	Settings() (Settings, error)
	PutSettings(s Settings) error
}

// Settings are what the user can set; the zero value is not the default.
type Settings struct {
	AlwaysUV       bool `cbor:"1,keyasint,omitempty"`
	MinPINLength   uint `cbor:"2,keyasint,omitempty"` // Unicode code points
	ForcePINChange bool `cbor:"3,keyasint,omitempty"`
}

// DefaultSettings hold for a new store and after a reset.
func DefaultSettings() Settings { return Settings{AlwaysUV: true, MinPINLength: 4} }

// User is the person at the machine.
type User interface {
	// Approve asks, and waits. A refusal is ctap.OperationDenied, a dead context
	// the context's error. With ask.Verify set, nil means that Verify has
	// returned nil.
	Approve(ctx context.Context, ask Ask) (Approval, error)
}

// Operation is what the person is asked to approve.
type Operation string

// Ours: the operations.
const (
	OperationRegister Operation = "register" // create a passkey
	OperationSignIn   Operation = "sign in"
	OperationSelect   Operation = "select" // is this the authenticator you mean?
	OperationReset    Operation = "reset"  // every passkey is lost
	OperationPIN      Operation = "verify" // a PIN for a platform's token
	// OperationExists: the account already has a passkey here; the answer only
	// lets the site know.
	OperationExists Operation = "already registered"
)

// Ask is one question. Texts come from relying parties and programs: whoever
// shows them makes them harmless first.
type Ask struct {
	Operation Operation
	RP        ctap.RelyingParty
	// Accounts are the choices, newest first; for registration the new account.
	Accounts []ctap.User
	Caller   ctap.Caller
	// Lost is how many passkeys a reset destroys, Losses names them
	// ("service: account"), oldest first.
	Lost   int
	Losses []string
	// Verify, where set, wants the user verified: the prompt collects a PIN and
	// calls Verify with its UTF-8 bytes, again after a *WrongPIN with retries
	// left, until it gives nil or an error of another kind.
	Verify func(ctx context.Context, pin secret.Bytes) error
	// Retries is how many PIN attempts are left before the first call.
	Retries int
}

// Approval is the person's yes. Account indexes Ask.Accounts.
type Approval struct {
	Account int
}
