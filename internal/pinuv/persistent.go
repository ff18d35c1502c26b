package pinuv

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/secret"
)

// From the specification: §6.4, what getInfo encrypts for holders of the persistent
// pinUvAuthToken. The info of the key is the member's name, the salt zeroes.
const (
	InfoIdentifier      = "encIdentifier"
	InfoCredentialStore = "encCredStoreState"

	infoKeyBytes = 16 // AES-128
)

// InfoBytes is the length of what is encrypted for getInfo.
const InfoBytes = aes.BlockSize

// SealInfo encrypts plain for getInfo, with an IV of its own each time: who does not
// hold token cannot tell two answers of one device from answers of two.
func SealInfo(token secret.Bytes, info string, plain [InfoBytes]byte) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, token.Reveal(), make([]byte, sha256.Size), info, infoKeyBytes)
	if err != nil {
		return nil, fmt.Errorf("key for %s: %w", info, err)
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key for %s: %w", info, err)
	}
	out := make([]byte, 2*aes.BlockSize)
	iv := out[:aes.BlockSize]
	_, _ = rand.Read(iv) // never fails, by its documentation
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out[aes.BlockSize:], plain[:])
	return out, nil
}
