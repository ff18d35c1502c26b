package extension

import (
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// saltBytes is the length of one hmac-secret salt and output (§12.7).
const saltBytes = 32

// Agree makes the shared secret with a platform's key.
type Agree func(p pinuv.Protocol, peer cose.Key) (*pinuv.Shared, error)

// saltInput is the hmac-secret input at sign-in (§12.7).
type saltInput struct {
	KeyAgreement *cose.Key      `cbor:"1,keyasint,omitempty"`
	SaltEnc      []byte         `cbor:"2,keyasint,omitempty"`
	SaltAuth     []byte         `cbor:"3,keyasint,omitempty"`
	Protocol     pinuv.Protocol `cbor:"4,keyasint,omitempty"`
}

// Salts is a decrypted hmac-secret input: one or two salts and the key their outputs
// go back under.
type Salts struct {
	shared *pinuv.Shared
	plain  secret.Bytes
}

// readSalts checks and decrypts the input called name, nil where there is none.
func readSalts(in ctap.Extensions, name string, agree Agree) (*Salts, error) {
	raw, ok := in[name]
	if !ok {
		return nil, nil
	}
	var input saltInput
	if err := cbor.Unmarshal(raw, &input); err != nil {
		return nil, err
	}
	if input.KeyAgreement == nil || input.SaltEnc == nil || input.SaltAuth == nil {
		return nil, ctap.MissingParameter
	}
	if input.Protocol == 0 {
		input.Protocol = pinuv.One
	}
	if err := ctap.CheckProtocol(input.Protocol); err != nil {
		return nil, err
	}
	shared, err := agree(input.Protocol, *input.KeyAgreement)
	if err != nil {
		return nil, err
	}
	s := &Salts{shared: shared}
	if !shared.Verify(input.SaltEnc, input.SaltAuth) {
		s.Wipe()
		return nil, ctap.PINAuthInvalid
	}
	s.plain, err = shared.Decrypt(input.SaltEnc)
	if n := s.plain.Len(); err != nil || n != saltBytes && n != 2*saltBytes {
		s.Wipe()
		return nil, ctap.InvalidLength
	}
	return s, nil
}

// Wipe forgets the salts; nil has none.
func (s *Salts) Wipe() {
	if s != nil {
		s.shared.Wipe()
		s.plain.Wipe()
	}
}

// Answer has mac make the output of each salt and encrypts them.
func (s *Salts) Answer(mac func(salt []byte) (secret.Bytes, error)) ([]byte, error) {
	plain := make([]byte, s.plain.Len())
	defer clear(plain)
	for at := 0; at < len(plain); at += saltBytes {
		out, err := mac(s.plain.Reveal()[at : at+saltBytes])
		if err != nil {
			return nil, err
		}
		copy(plain[at:], out.Reveal())
		out.Wipe()
	}
	return s.shared.Encrypt(plain)
}
