package pinuv

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/secret"
)

// Shared is what a platform and the authenticator have agreed on. It must be
// wiped.
type Shared struct {
	protocol Protocol
	hmacKey  secret.Bytes
	aesKey   secret.Bytes // the same as hmacKey for protocol One
}

// Encrypt gives AES-256-CBC of plain, which must be whole blocks of 16 bytes, or
// it is ErrLength. Protocol One has an IV of zeroes; Two puts a random IV before
// the ciphertext, which makes the result 16 bytes longer.
func (s *Shared) Encrypt(plain []byte) ([]byte, error) {
	var iv [aes.BlockSize]byte
	if s.protocol == Two {
		// Documented never to fail; the program ends where there is no randomness.
		_, _ = rand.Read(iv[:])
	}
	return s.seal(iv, plain)
}

// seal is Encrypt with a given IV, which must be zeroes for protocol One.
func (s *Shared) seal(iv [aes.BlockSize]byte, plain []byte) ([]byte, error) {
	if len(plain)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("%w: %d bytes to encrypt", ErrLength, len(plain))
	}
	block, err := aes.NewCipher(s.aesKey.Reveal())
	if err != nil {
		return nil, fmt.Errorf("shared secret: %w", err)
	}
	ivBytes := s.ivBytes()
	out := make([]byte, ivBytes+len(plain))
	copy(out[:ivBytes], iv[:])
	cipher.NewCBCEncrypter(block, iv[:]).CryptBlocks(out[ivBytes:], plain)
	return out, nil
}

// Decrypt reverses Encrypt. A text that Encrypt cannot have made by its length is
// ErrLength; any other gives something, which is not authenticated.
func (s *Shared) Decrypt(ciphertext []byte) (secret.Bytes, error) {
	ivBytes := s.ivBytes()
	if len(ciphertext) < ivBytes || len(ciphertext)%aes.BlockSize != 0 {
		return secret.Bytes{}, fmt.Errorf("%w: %d bytes to decrypt", ErrLength, len(ciphertext))
	}
	block, err := aes.NewCipher(s.aesKey.Reveal())
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("shared secret: %w", err)
	}
	iv := make([]byte, aes.BlockSize)
	copy(iv, ciphertext[:ivBytes])
	plain := make([]byte, len(ciphertext)-ivBytes)
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, ciphertext[ivBytes:])
	return secret.Of(plain), nil
}

// ivBytes is how much of a ciphertext is the IV.
func (s *Shared) ivBytes() int {
	if s.protocol == One {
		return 0
	}
	return aes.BlockSize
}

// Authenticate gives the MAC of msg: 16 bytes for protocol One, 32 for Two.
func (s *Shared) Authenticate(msg []byte) []byte { return s.protocol.mac(s.hmacKey, msg) }

// Verify tells whether mac is the MAC of msg, in constant time.
func (s *Shared) Verify(msg, mac []byte) bool { return s.protocol.verify(s.hmacKey, msg, mac) }

// Wipe zeroes the keys. Nothing that was encrypted opens afterwards.
func (s *Shared) Wipe() {
	s.hmacKey.Wipe()
	s.aesKey.Wipe()
}
