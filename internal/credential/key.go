package credential

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"

	"github.com/localpasskey/localpasskey/internal/cose"
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
	SigningKey KeyKind = 1 // ECDSA, by KeySpec.Algorithm
	MACKey     KeyKind = 2 // HMAC-SHA-256, for hmac-secret
)

// KeySpec describes a key: for Create what to make, for Prepare what was made.
type KeySpec struct {
	Kind     KeyKind
	Binding  Binding
	RPIDHash [32]byte // SHA-256 of the RP ID; PINBound keys are tied to it
	// Algorithm is a SigningKey's: cose.ES256, which 0 stands for too, or cose.ES384.
	Algorithm cose.Algorithm
}

// Digest is what such a key signs of a message: its SHA-256, or for ES384 its SHA-384.
func (s KeySpec) Digest(message ...[]byte) []byte {
	whole := bytes.Join(message, nil)
	if s.Algorithm == cose.ES384 {
		sum := sha512.Sum384(whole)
		return sum[:]
	}
	sum := sha256.Sum256(whole)
	return sum[:]
}

// Key is a key of the hardware. Handle is opaque and wrapped to this machine.
// Public is set for signing keys; Prepare compares it with what Handle gives.
type Key struct {
	KeySpec
	Handle []byte
	Public cose.Key
}
