package extension

import (
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/credential"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

// SignIn is what a getAssertion request asks. It must be wiped.
type SignIn struct {
	Salts *Salts // of hmac-secret; nil for none

	// LargeBlobKey: the credential's is asked for.
	LargeBlobKey bool

	credBlob, thirdPartyPayment bool
}

// ReadSignIn reads the inputs of getAssertion.
func ReadSignIn(in ctap.Extensions, agree Agree) (*SignIn, error) {
	s := &SignIn{}
	if err := read(in, credBlob, &s.credBlob); err != nil {
		return nil, err
	}
	if err := read(in, thirdPartyPayment, &s.thirdPartyPayment); err != nil {
		return nil, err
	}
	if err := readLargeBlobKey(in, &s.LargeBlobKey); err != nil {
		return nil, err
	}
	var err error
	s.Salts, err = readSalts(in, hmacSecret, agree)
	return s, err
}

// Wipe forgets the salts. A nil SignIn has none.
func (s *SignIn) Wipe() {
	if s != nil {
		s.Salts.Wipe()
	}
}

// Outputs answers for the credential c; secrets are the encrypted outputs of
// hmac-secret, nil for none. A credential without a credBlob has an empty one (§12.2).
func (s *SignIn) Outputs(c *credential.Credential, secrets []byte) (cbor.Raw, error) {
	out := map[string]any{}
	if s.credBlob {
		out[credBlob] = append([]byte{}, c.Blob...)
	}
	if s.thirdPartyPayment {
		out[thirdPartyPayment] = c.ThirdPartyPayment
	}
	if secrets != nil {
		out[hmacSecret] = secrets
	}
	return encode(out)
}
