package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// KeyBytes is the length of the metadata key.
const KeyBytes = 32

// Ours: what each key derived from the metadata key is for.
const (
	purposeNames  = "localpasskey store names"
	purposeValues = "localpasskey store values"
	purposeTally  = "localpasskey store tally"
)

// Keys are what an unlocked store works with. They belong to one generation.
type Keys struct {
	names  secret.Bytes
	tally  secret.Bytes
	values cipher.AEAD
}

// New derives the keys of a generation from the metadata key, KeyBytes long.
func New(key secret.Bytes, generation [16]byte) (*Keys, error) {
	if key.Len() != KeyBytes {
		return nil, ctap.InvalidLength
	}
	derive := func(purpose string) (secret.Bytes, error) {
		b, err := hkdf.Key(sha256.New, key.Reveal(), generation[:], purpose, KeyBytes)
		return secret.Of(b), err
	}
	values, err := derive(purposeValues)
	if err != nil {
		return nil, err
	}
	defer values.Wipe()
	block, err := aes.NewCipher(values.Reveal())
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	names, err := derive(purposeNames)
	if err != nil {
		return nil, err
	}
	tally, err := derive(purposeTally)
	if err != nil {
		return nil, err
	}
	return &Keys{names: names, tally: tally, values: aead}, nil
}

// Wipe forgets what can be forgotten; the cipher's own schedule stays until the
// memory is reused.
func (k *Keys) Wipe() {
	k.names.Wipe()
	k.tally.Wipe()
}

// Name gives the 32 bytes that stand for b in bucket's keys.
func (k *Keys) Name(bucket string, b []byte) []byte {
	return mac(k.names, bucket, b)
}

// Seal gives nonce ‖ AES-256-GCM of plain, bound to its place.
func (k *Keys) Seal(bucket string, key, plain []byte) []byte {
	return k.values.Seal(nil, nil, plain, place(bucket, key)) //nolint:gosec // this AEAD makes the nonce itself, at random
}

// Open gives back what seal was given for the same place.
func (k *Keys) Open(bucket string, key, sealed []byte) (secret.Bytes, error) {
	plain, err := k.values.Open(nil, nil, sealed, place(bucket, key))
	if err != nil {
		return secret.Bytes{}, Damage("an entry of %s does not open", bucket)
	}
	return secret.Of(plain), nil
}

// Count puts an entry into the tally, or takes it out: the tally is the sum,
// by exclusive or, of a MAC of each entry.
func (k *Keys) Count(tally *[sha256.Size]byte, bucket string, key, value []byte) {
	k.Counter(tally)(bucket, key, value)
}

// Counter is Count for many entries: it keeps what every MAC with this key begins with,
// which is two thirds of the work, and its memory.
func (k *Keys) Counter(tally *[sha256.Size]byte) func(bucket string, key, value []byte) {
	h := hmac.New(sha256.New, k.tally.Reveal())
	var message, sum []byte
	return func(bucket string, key, value []byte) {
		message = append(appendPlace(appendLabel(message[:0], bucket), bucket, key), value...)
		h.Reset()
		h.Write(message)
		sum = h.Sum(sum[:0])
		subtle.XORBytes(tally[:], tally[:], sum)
	}
}

// Version is the version of the file's format, which sealed values carry.
const Version = 2

// place is version ‖ bucket ‖ 0 ‖ key: keys of one bucket have one length, and
// bucket names hold no zero byte, so no two places look alike.
func place(bucket string, key []byte) []byte {
	return appendPlace(make([]byte, 0, 1+len(bucket)+1+len(key)), bucket, key)
}

func appendPlace(to []byte, bucket string, key []byte) []byte {
	return append(appendLabel(append(to, Version), bucket), key...)
}

func appendLabel(to []byte, label string) []byte { return append(append(to, label...), 0) }

// mac is the MAC of label ‖ 0 ‖ b.
func mac(key secret.Bytes, label string, b []byte) []byte {
	h := hmac.New(sha256.New, key.Reveal())
	h.Write(append(appendLabel(nil, label), b...))
	return h.Sum(nil)
}

// Checked puts a checksum before a value that is not sealed, and Unchecked takes
// it off. It guards against damage, not against people.
func Checked(value []byte) []byte {
	sum := sha256.Sum256(value)
	return append(sum[:], value...)
}

// Unchecked gives what Checked was given.
func Unchecked(what string, stored []byte) ([]byte, error) {
	if len(stored) < sha256.Size || sha256.Sum256(stored[sha256.Size:]) != [sha256.Size]byte(stored[:sha256.Size]) {
		return nil, Damage("the %s is missing or damaged", what)
	}
	return append([]byte(nil), stored[sha256.Size:]...), nil
}

// IntegrityError is damage: what is there is not what was written.
type IntegrityError struct{ Cause error }

// Damage makes an IntegrityError.
func Damage(format string, args ...any) error {
	return &IntegrityError{Cause: fmt.Errorf(format, args...)}
}

// Error says what does not fit.
func (e *IntegrityError) Error() string { return e.Cause.Error() }

// Unwrap gives the cause.
func (e *IntegrityError) Unwrap() error { return e.Cause }
