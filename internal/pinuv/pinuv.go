package pinuv

import (
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/secret"
)

var (
	// ErrProtocol is the answer to a protocol that is neither One nor Two.
	ErrProtocol = errors.New("unknown PIN/UV auth protocol")
	// ErrLength is the answer to a text that is not a whole number of AES blocks.
	ErrLength = errors.New("length is no whole number of blocks")
)

// Protocol is a PIN/UV auth protocol. It is no uint8: a CBOR encoder makes a byte
// string of a list of those, and getInfo needs an array (§6.4, 0x06).
type Protocol uint

// From the specification: §6.5.6, §6.5.7.
const (
	One Protocol = 1
	Two Protocol = 2
)

// From the specification: §6.5.6 and §6.5.7, lengths in bytes.
const (
	macBytesOne = 16
	macBytesTwo = sha256.Size
	keyBytes    = 32 // AES-256 and HMAC keys
	tokenBytes  = 32 // protocol one would allow 16
)

// From the specification: §6.5.7, kdf.
const (
	infoHMAC = "CTAP2 HMAC key"
	infoAES  = "CTAP2 AES key"
)

// Valid tells whether p is One or Two.
func (p Protocol) Valid() bool { return p == One || p == Two }

// mac is authenticate (§6.5.6, §6.5.7): 16 bytes for One, 32 for Two.
func (p Protocol) mac(key secret.Bytes, msg []byte) []byte {
	h := hmac.New(sha256.New, key.Reveal())
	h.Write(msg)
	sum := h.Sum(nil)
	if p == One {
		return sum[:macBytesOne]
	}
	return sum
}

// verify is the protocols' verify. ConstantTimeCompare refuses other lengths.
func (p Protocol) verify(key secret.Bytes, msg, mac []byte) bool {
	return p.Valid() && !key.IsZero() && subtle.ConstantTimeCompare(p.mac(key, msg), mac) == 1
}

// KeyAgreement is the authenticator's key pair for agreeing on shared secrets.
// It serves both protocols, and one caller at a time.
type KeyAgreement struct {
	private *ecdh.PrivateKey
	public  cose.Key
}

// NewKeyAgreement makes a fresh key pair (initialize).
func NewKeyAgreement() (*KeyAgreement, error) {
	k := new(KeyAgreement)
	return k, k.Regenerate()
}

// Regenerate replaces the key pair (regenerate). What was agreed on before stays
// as it is; what is encapsulated for the old key no longer decapsulates.
func (k *KeyAgreement) Regenerate() error {
	private, public, err := generate()
	if err != nil {
		return err
	}
	k.private, k.public = private, public
	return nil
}

// PublicKey gives the public half for platforms (getPublicKey).
func (k *KeyAgreement) PublicKey() cose.Key { return k.public }

// Decapsulate gives the secret shared with the platform whose public key is peer
// (decapsulate). Errors are ErrProtocol and cose.ErrKey.
func (k *KeyAgreement) Decapsulate(p Protocol, peer cose.Key) (*Shared, error) {
	return agree(p, k.private, peer)
}

// Encapsulate makes a key pair for this once and gives its public half and the
// secret shared with the authenticator whose public key is peer (encapsulate).
// Errors are ErrProtocol and cose.ErrKey.
func Encapsulate(p Protocol, peer cose.Key) (cose.Key, *Shared, error) {
	private, public, err := generate()
	if err != nil {
		return cose.Key{}, nil, err
	}
	shared, err := agree(p, private, peer)
	if err != nil {
		return cose.Key{}, nil, err
	}
	return public, shared, nil
}

func generate() (*ecdh.PrivateKey, cose.Key, error) {
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, cose.Key{}, fmt.Errorf("key agreement: %w", err)
	}
	public, err := cose.FromECDH(private.PublicKey())
	return private, public, err
}

// agree is ecdh and kdf (§6.5.6, §6.5.7). Z is the shared point's x-coordinate.
func agree(p Protocol, private *ecdh.PrivateKey, peer cose.Key) (*Shared, error) {
	if !p.Valid() {
		return nil, fmt.Errorf("%w: %d", ErrProtocol, p)
	}
	public, err := peer.ECDH()
	if err != nil {
		return nil, err
	}
	point, err := private.ECDH(public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", cose.ErrKey, err)
	}
	z := secret.Of(point)
	defer z.Wipe()
	if p == One {
		key := sha256.Sum256(z.Reveal())
		both := secret.Of(key[:])
		return &Shared{protocol: p, hmacKey: both, aesKey: both}, nil
	}
	hmacKey, err := derive(z, infoHMAC)
	if err != nil {
		return nil, err
	}
	aesKey, err := derive(z, infoAES)
	if err != nil {
		hmacKey.Wipe()
		return nil, err
	}
	return &Shared{protocol: p, hmacKey: hmacKey, aesKey: aesKey}, nil
}

func derive(z secret.Bytes, info string) (secret.Bytes, error) {
	salt := make([]byte, sha256.Size)
	key, err := hkdf.Key(sha256.New, z.Reveal(), salt, info, keyBytes)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("key derivation: %w", err)
	}
	return secret.Of(key), nil
}

// Token is a pinUvAuthToken with the protocol it was obtained by. The zero value
// verifies nothing. Copies share the secret.
type Token struct {
	protocol Protocol
	secret   secret.Bytes
}

// NewToken makes a token of b, as a platform that has decrypted one. The token
// takes b over.
func NewToken(p Protocol, b secret.Bytes) Token { return Token{protocol: p, secret: b} }

// RandomToken makes a fresh token of 32 bytes (resetPinUvAuthToken).
func RandomToken(p Protocol) Token { return NewToken(p, secret.Random(tokenBytes)) }

// Protocol gives the protocol the token belongs to.
func (t Token) Protocol() Protocol { return t.protocol }

// Secret gives the token's bytes, shared with it, for encrypting them.
func (t Token) Secret() secret.Bytes { return t.secret }

// Authenticate gives the MAC of msg: 16 bytes for protocol One, 32 for Two.
func (t Token) Authenticate(msg []byte) []byte { return t.protocol.mac(t.secret, msg) }

// Verify tells whether mac is the MAC of msg, in constant time.
func (t Token) Verify(msg, mac []byte) bool { return t.protocol.verify(t.secret, msg, mac) }

// Wipe zeroes the token, for all copies.
func (t Token) Wipe() { t.secret.Wipe() }
