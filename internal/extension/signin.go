package extension

import (
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

// SignIn is what a getAssertion request asks. It must be wiped.
type SignIn struct {
	Salts *Salts // of hmac-secret; nil for none
}

// ReadSignIn reads the inputs of getAssertion.
func ReadSignIn(in ctap.Extensions, agree Agree) (*SignIn, error) {
	salts, err := readSalts(in, hmacSecret, agree)
	if err != nil {
		return nil, err
	}
	return &SignIn{Salts: salts}, nil
}

// Wipe forgets the salts. A nil SignIn has none.
func (s *SignIn) Wipe() {
	if s != nil {
		s.Salts.Wipe()
	}
}

// Outputs answers; secrets are the encrypted outputs of hmac-secret, nil for none.
func (s *SignIn) Outputs(secrets []byte) (cbor.Raw, error) {
	out := map[string]any{}
	if secrets != nil {
		out[hmacSecret] = secrets
	}
	return encode(out)
}
