package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"

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

// keys are what an unlocked store works with. They belong to one generation.
type keys struct {
	names  secret.Bytes
	tally  secret.Bytes
	values cipher.AEAD
}

func newKeys(key secret.Bytes, generation [16]byte) (*keys, error) {
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
	return &keys{names: names, tally: tally, values: aead}, nil
}

// wipe forgets what can be forgotten; the cipher's own schedule stays until the
// memory is reused.
func (k *keys) wipe() {
	k.names.Wipe()
	k.tally.Wipe()
}

// name gives the 32 bytes that stand for b in bucket's keys.
func (k *keys) name(bucket string, b []byte) []byte {
	return mac(k.names, bucket, b)
}

// seal gives nonce ‖ AES-256-GCM of plain, bound to its place.
func (k *keys) seal(bucket string, key, plain []byte) []byte {
	return k.values.Seal(nil, nil, plain, place(bucket, key)) //nolint:gosec // this AEAD makes the nonce itself, at random
}

// open gives back what seal was given for the same place.
func (k *keys) open(bucket string, key, sealed []byte) (secret.Bytes, error) {
	plain, err := k.values.Open(nil, nil, sealed, place(bucket, key))
	if err != nil {
		return secret.Bytes{}, damage("an entry of %s does not open", bucket)
	}
	return secret.Of(plain), nil
}

// count puts an entry into the tally, or takes it out: the tally is the sum,
// by exclusive or, of a MAC of each entry.
func (k *keys) count(tally *[sha256.Size]byte, bucket string, key, value []byte) {
	entry := append(place(bucket, key), value...)
	subtle.XORBytes(tally[:], tally[:], mac(k.tally, bucket, entry))
}

// place is schema ‖ bucket ‖ 0 ‖ key: keys of one bucket have one length, and
// bucket names hold no zero byte, so no two places look alike.
func place(bucket string, key []byte) []byte {
	out := make([]byte, 0, 1+len(bucket)+1+len(key))
	out = append(out, schema)
	out = append(out, bucket...)
	out = append(out, 0)
	return append(out, key...)
}

func mac(key secret.Bytes, label string, b []byte) []byte {
	h := hmac.New(sha256.New, key.Reveal())
	h.Write([]byte(label))
	h.Write([]byte{0})
	h.Write(b)
	return h.Sum(nil)
}

// checked puts a checksum before a value that is not sealed, and unchecked takes
// it off. It guards against damage, not against people.
func checked(value []byte) []byte {
	sum := sha256.Sum256(value)
	return append(sum[:], value...)
}

func unchecked(what string, stored []byte) ([]byte, error) {
	if len(stored) < sha256.Size || sha256.Sum256(stored[sha256.Size:]) != [sha256.Size]byte(stored[:sha256.Size]) {
		return nil, damage("the %s is missing or damaged", what)
	}
	return append([]byte(nil), stored[sha256.Size:]...), nil
}
