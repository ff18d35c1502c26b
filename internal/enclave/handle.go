package enclave

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/macos"
)

// Ours: version 1 of a handle.
//
//	version │ kind │ binding │ SHA-256(RP ID) │ public key │ the sealed key
//	   1    │  1   │    1    │       32       │     65     │  about 300–600
const (
	handleVersion  = 1
	publicBytes    = 65
	headBytes      = 3 + 32 + publicBytes
	maxSealedBytes = 8192
)

// handle is a key as it is kept.
type handle struct {
	spec   authenticator.KeySpec
	public []byte
	sealed []byte
}

func (h handle) encode() []byte {
	out := []byte{handleVersion, byte(h.spec.Kind), byte(h.spec.Binding)}
	out = append(out, h.spec.RPIDHash[:]...)
	out = append(out, h.public...)
	return append(out, h.sealed...)
}

// decode reads a handle and compares it with all that is known of its key.
func decode(key *authenticator.Key) (handle, error) {
	b := key.Handle
	if len(b) <= headBytes || len(b) > headBytes+maxSealedBytes || b[0] != handleVersion {
		return handle{}, fmt.Errorf("%w: a key handle of %d bytes", ctap.InvalidCredential, len(b))
	}
	h := handle{
		spec:   authenticator.KeySpec{Kind: authenticator.KeyKind(b[1]), Binding: authenticator.Binding(b[2]), RPIDHash: [32]byte(b[3:35])},
		public: bytes.Clone(b[35:headBytes]),
		sealed: bytes.Clone(b[headBytes:]),
	}
	wanted := key.KeySpec
	wanted.Algorithm = 0 // the one there is
	if h.spec != wanted {
		return handle{}, fmt.Errorf("%w: a key handle of another kind or relying party", ctap.InvalidCredential)
	}
	public, err := parsePoint(h.public)
	if err != nil {
		return handle{}, fmt.Errorf("%w: %w", ctap.InvalidCredential, err)
	}
	if len(key.Public.X) != 0 && (!bytes.Equal(key.Public.X, public.X) || !bytes.Equal(key.Public.Y, public.Y) ||
		key.Public.Algorithm != public.Algorithm || key.Public.Curve != public.Curve) {
		return handle{}, fmt.Errorf("%w: a key handle is another credential's", ctap.InvalidCredential)
	}
	return h, nil
}

// parsePoint reads 0x04 ‖ X ‖ Y as a key that signs.
func parsePoint(point []byte) (cose.Key, error) {
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return cose.Key{}, err
	}
	return cose.FromECDSA(public)
}

const (
	presenceOnly        = authenticator.PresenceOnly
	tokenOID     Symbol = macos.TokenOID
)

var (
	errNotSealed = errors.New("the key has no sealed form: it is not in a Secure Enclave")
	errOtherKey  = errors.New("macOS opened another key than the one that was made")
)

// noEnclave says what a Mac lacks.
func noEnclave(cause error) error {
	return &ctap.Problem{
		Status: ctap.Other, What: "no key can be made in a Secure Enclave",
		Hint:  "it takes a Mac with Apple silicon or a T2 chip, and macOS outside of a virtual machine",
		Cause: cause,
	}
}
