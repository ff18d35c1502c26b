package cose

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/cbor"
)

// Algorithm is a COSE algorithm identifier.
type Algorithm int64

// From the specification: IANA COSE Algorithms. ECDHESHKDF256 only marks keys of
// the PIN/UV auth protocols (CTAP 2.3 §6.5.6); the algorithm it names is not used.
const (
	ES256         Algorithm = -7
	EdDSA         Algorithm = -8
	ECDHESHKDF256 Algorithm = -25
	ES384         Algorithm = -35
	RS256         Algorithm = -257
)

// Curve is a COSE elliptic curve.
type Curve int64

// From the specification: IANA COSE Elliptic Curves.
const (
	P256 Curve = 1
	P384 Curve = 2
)

// From the specification: IANA COSE Key Types.
const keyTypeEC2 = 2

// uncompressed starts a point in SEC 1 §2.3.3 form: 0x04 ‖ X ‖ Y.
const uncompressed = 0x04

// ErrKey is the answer to a key that is none: not on its curve, of another kind,
// or not exactly in the expected form.
var ErrKey = errors.New("not a COSE EC2 public key")

// Key is an EC2 public key. X and Y are big-endian and as long as the curve's
// field: 32 bytes for P-256, 48 for P-384.
type Key struct {
	Algorithm Algorithm
	Curve     Curve
	X, Y      []byte
}

// wire is a COSE_Key map (RFC 9053 §7.1.1). Order is left to the encoder.
type wire struct {
	KeyType   int64     `cbor:"1,keyasint"`
	Algorithm Algorithm `cbor:"3,keyasint"`
	Curve     Curve     `cbor:"-1,keyasint"`
	X         []byte    `cbor:"-2,keyasint"`
	Y         []byte    `cbor:"-3,keyasint"`
}

// header is the first byte of a map of five entries.
const header = 0xa5

// FromECDSA gives the signing key with the algorithm that belongs to its curve:
// ES256 for P-256, ES384 for P-384. Any other curve is ErrKey.
func FromECDSA(public *ecdsa.PublicKey) (Key, error) {
	point, err := public.Bytes()
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	switch public.Curve {
	case elliptic.P256():
		return fromPoint(ES256, P256, point), nil
	case elliptic.P384():
		return fromPoint(ES384, P384, point), nil
	default:
		return Key{}, fmt.Errorf("%w: curve %s", ErrKey, public.Params().Name)
	}
}

// FromECDH gives the key of a key agreement on P-256 (CTAP 2.3 §6.5.6,
// getPublicKey). Any other curve is ErrKey.
func FromECDH(public *ecdh.PublicKey) (Key, error) {
	if public.Curve() != ecdh.P256() {
		return Key{}, fmt.Errorf("%w: curve %v", ErrKey, public.Curve())
	}
	return fromPoint(ECDHESHKDF256, P256, public.Bytes()), nil
}

// fromPoint splits 0x04 ‖ X ‖ Y.
func fromPoint(a Algorithm, c Curve, point []byte) Key {
	size := (len(point) - 1) / 2
	return Key{Algorithm: a, Curve: c, X: point[1 : 1+size : 1+size], Y: point[1+size:]}
}

// ECDSA gives the key for verifying signatures. It must be ES256 on P-256 or
// ES384 on P-384: a key agreement key verifies nothing. Errors are ErrKey.
func (k Key) ECDSA() (*ecdsa.PublicKey, error) {
	switch {
	case k.Algorithm == ES256 && k.Curve == P256, k.Algorithm == ES384 && k.Curve == P384:
		return k.point()
	default:
		return nil, fmt.Errorf("%w: algorithm %d on curve %d does not sign", ErrKey, k.Algorithm, k.Curve)
	}
}

// ECDH gives the key for a key agreement on P-256. Errors are ErrKey.
func (k Key) ECDH() (*ecdh.PublicKey, error) {
	if k.Algorithm != ECDHESHKDF256 || k.Curve != P256 {
		return nil, fmt.Errorf("%w: algorithm %d on curve %d does not agree on keys", ErrKey, k.Algorithm, k.Curve)
	}
	public, err := k.point()
	if err != nil {
		return nil, err
	}
	agreement, err := public.ECDH()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return agreement, nil
}

// SPKI gives the signing key as a DER SubjectPublicKeyInfo (RFC 5480 §2), the
// form of WebAuthn L3 §5.2.1 getPublicKey. Errors are ErrKey.
func (k Key) SPKI() ([]byte, error) {
	public, err := k.ECDSA()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return der, nil
}

// point gives the key as a point that is on its curve, whatever its algorithm.
func (k Key) point() (*ecdsa.PublicKey, error) {
	var curve elliptic.Curve
	switch k.Curve {
	case P256:
		curve = elliptic.P256()
	case P384:
		curve = elliptic.P384()
	default:
		return nil, fmt.Errorf("%w: curve %d", ErrKey, k.Curve)
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(k.X) != size || len(k.Y) != size {
		return nil, fmt.Errorf("%w: coordinates of %d and %d bytes", ErrKey, len(k.X), len(k.Y))
	}
	encoded := make([]byte, 0, 1+2*size)
	encoded = append(encoded, uncompressed)
	encoded = append(append(encoded, k.X...), k.Y...)
	public, err := ecdsa.ParseUncompressedPublicKey(curve, encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return public, nil
}

// check is what decoding and encoding hold a key to.
func (k Key) check() error {
	switch {
	case k.Algorithm == ES256 && k.Curve == P256,
		k.Algorithm == ES384 && k.Curve == P384,
		k.Algorithm == ECDHESHKDF256 && k.Curve == P256:
		_, err := k.point()
		return err
	default:
		return fmt.Errorf("%w: algorithm %d on curve %d", ErrKey, k.Algorithm, k.Curve)
	}
}

// MarshalCBOR encodes the key canonically. A key that UnmarshalCBOR would refuse
// is ErrKey.
func (k Key) MarshalCBOR() ([]byte, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	return cbor.Marshal(wire{KeyType: keyTypeEC2, Algorithm: k.Algorithm, Curve: k.Curve, X: k.X, Y: k.Y})
}

// UnmarshalCBOR decodes exactly one canonical key and checks its point. Errors
// are cbor.ErrMalformed, cbor.ErrType for what is no map of the right types, or
// ErrKey.
func (k *Key) UnmarshalCBOR(data []byte) error {
	var w wire
	if err := cbor.Unmarshal(data, &w); err != nil {
		return err
	}
	// Five entries leave no room for a foreign one: kty, alg, crv, x and y are
	// checked below, and none of them passes when it is missing.
	if data[0] != header || w.KeyType != keyTypeEC2 {
		return fmt.Errorf("%w: key type %d, map header %#02x", ErrKey, w.KeyType, data[0])
	}
	decoded := Key{Algorithm: w.Algorithm, Curve: w.Curve, X: w.X, Y: w.Y}
	if err := decoded.check(); err != nil {
		return err
	}
	*k = decoded
	return nil
}
