package authenticator

import (
	"context"

	"github.com/localpasskey/localpasskey/internal/consent"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/credential"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// Keys makes keys in hardware and readies them for use. A key that was created
// and never stored leaves nothing behind in the hardware.
type Keys interface {
	// Algorithms are what SigningKeys can be made for: ES256, and what else there is.
	Algorithms() []cose.Algorithm
	Create(ctx context.Context, spec KeySpec) (*Key, error)
	// CreatePrepared is Create, and Prepare of what it made, for less than the two
	// cost.
	CreatePrepared(ctx context.Context, spec KeySpec, grant Grant) (*Key, Prepared, error)
	// Prepare does all that can be done before the person has said yes, so that
	// only the signature is left. A PINBound key needs grant, or a later
	// Prepared.Verify; a PresenceOnly key takes neither.
	Prepare(ctx context.Context, key *Key, grant Grant) (Prepared, error)
}

// Prepared is a key about to be used once. It must be closed.
type Prepared interface {
	// Verify has the hardware check the PIN (its 16-byte hash; see PIN) now, as part of
	// this use, and gives the grant it yields for further keys of the same
	// relying party. A wrong PIN is a *WrongPIN; Verify may then be called again.
	Verify(ctx context.Context, pinHash secret.Bytes) (Grant, error)
	// Sign gives an ASN.1 DER ECDSA signature of what KeySpec.Digest gives.
	Sign(ctx context.Context, digest []byte) ([]byte, error)
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
	credential.Reader
	credential.Pager
	credential.Writer
	consent.SettingsStore
	consent.Values
	Trail
}

// Trail keeps the audit trail.
type Trail interface {
	consent.Trail
	// Audit reads it.
	Audit(req ctap.AuditRequest) (*ctap.AuditResponse, error)
}

// The words of credential, under the names that machine packages know them by.
type (
	// Credential is credential.Credential.
	Credential = credential.Credential
	// Protection is credential.Protection.
	Protection = credential.Protection
	// Binding is credential.Binding.
	Binding = credential.Binding
	// KeyKind is credential.KeyKind.
	KeyKind = credential.KeyKind
	// KeySpec is credential.KeySpec.
	KeySpec = credential.KeySpec
	// Key is credential.Key.
	Key = credential.Key
)

// The values of those types.
const (
	PINBound     = credential.PINBound
	PresenceOnly = credential.PresenceOnly
	SigningKey   = credential.SigningKey
	MACKey       = credential.MACKey

	UVOptional = credential.UVOptional
	UVRequired = credential.UVRequired
)

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
)

// The operations, under the names that prompts know them by.
const (
	OperationRegister = consent.OperationRegister
	OperationSignIn   = consent.OperationSignIn
	OperationSelect   = consent.OperationSelect
	OperationReset    = consent.OperationReset
	OperationPIN      = consent.OperationPIN
	OperationExists   = consent.OperationExists
	OperationRelax    = consent.OperationRelax
)

// GrantLifetime bounds every grant, in the hardware.
const GrantLifetime = consent.GrantLifetime

// DefaultSettings hold for a new store and after a reset.
func DefaultSettings() Settings { return consent.DefaultSettings() }
