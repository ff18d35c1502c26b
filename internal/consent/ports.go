package consent

import (
	"context"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
)

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
	// has counted it by then. The zero Bytes stand for the PIN that the hardware's
	// side holds for fingers; where none is held they are an error.
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

// SettingsStore keeps the settings. What PutSettings has done is durable.
type SettingsStore interface {
	Settings() (Settings, error)
	PutSettings(s Settings) error
}

// Trail takes what happened down.
type Trail interface {
	// Note adds an entry. It returns at once; the entry is durable within 1 s.
	Note(e ctap.AuditEntry)
}

// Values keeps bytes under names, until a reset. What PutValue has done is durable.
type Values interface {
	// Value gives what was put under name, nil for nothing.
	Value(name string) ([]byte, error)
	PutValue(name string, value []byte) error
}

// Settings are what the user can set; the zero value is not the default.
type Settings struct {
	AlwaysUV       bool `cbor:"1,keyasint,omitempty"`
	MinPINLength   uint `cbor:"2,keyasint,omitempty"` // Unicode code points
	ForcePINChange bool `cbor:"3,keyasint,omitempty"`
	// MinPINLengthRPIDs are the relying parties that are told MinPINLength.
	MinPINLengthRPIDs []string `cbor:"4,keyasint,omitempty"`
	// PINLength is how long the PIN in use is at least, in code points: it decides
	// whether a higher minimum asks for a new one. 0 is not known.
	PINLength uint `cbor:"5,keyasint,omitempty"`
	// FingerSeconds is how long after a PIN a finger may stand for it; 0 for never.
	FingerSeconds uint `cbor:"6,keyasint,omitempty"`
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
	// OperationPIN: a PIN for a platform's token; Ask.Permissions says for what.
	OperationPIN Operation = "verify"
	// OperationExists: the account already has a passkey here; the answer only
	// lets the site know.
	OperationExists Operation = "already registered"
	// OperationRelax: alwaysUv goes off, while there is no PIN to ask for.
	OperationRelax Operation = "stop demanding the PIN"
)

// Ask is one question. Texts come from relying parties and programs: whoever
// shows them makes them harmless first.
type Ask struct {
	Operation Operation
	RP        ctap.RelyingParty
	// Accounts are the choices, newest first; for registration the new account.
	Accounts []ctap.User
	Caller   ctap.Caller
	// Permissions are what a token will permit, without a further question.
	Permissions ctap.Permission
	// Replaces: registering destroys the account's passkey that is here.
	Replaces bool
	// Lost is how many passkeys a reset destroys, Losses names them
	// ("service: account"), oldest first.
	Lost   int
	Losses []string
	// Verify, where set, wants the user verified: the prompt collects a PIN and
	// calls Verify with its UTF-8 bytes, again after a *WrongPIN with retries
	// left, until it gives nil or an error of another kind.
	Verify func(ctx context.Context, pin secret.Bytes) error
	// ByFinger, where set, does what Verify does, without a PIN, where one is held. It is
	// for whoever has seen the user's finger, and no prompt's to call: to a prompt it says
	// that the reader waits too.
	ByFinger func(ctx context.Context) error
	// Retries is how many PIN attempts are left before the first call.
	Retries int
}

// Approval is the person's yes. Account indexes Ask.Accounts.
type Approval struct {
	Account int
}
