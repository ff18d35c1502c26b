package proof

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// ErrAnother says that what a relying party has registered is not what was proven.
var ErrAnother = errors.New("the proof is of another passkey than the one that is registered")

// Matches compares what was proven with what a relying party has of the passkey: a public
// key as PEM, as a SubjectPublicKeyInfo in DER or as a COSE_Key, or the authenticator data
// of the registration, which names the relying party and the credential as well.
func (r *Result) Matches(registered []byte) error {
	if block, _ := pem.Decode(registered); block != nil {
		registered = block.Bytes
	}
	if data, err := webauthn.ParseAuthenticatorData(registered); err == nil && data.Attested != nil {
		same := data.RPIDHash == webauthn.RPIDHash(r.RelyingParty) && bytes.Equal(data.Attested.CredentialID, r.CredentialID)
		if !same || !r.has(data.Attested.PublicKey) {
			return ErrAnother
		}
		return nil
	}
	key, err := publicKey(registered)
	if err != nil {
		return err
	}
	if !r.has(key) {
		return ErrAnother
	}
	return nil
}

func (r *Result) has(key cose.Key) bool {
	return r.Key.Algorithm == key.Algorithm && r.Key.Curve == key.Curve && bytes.Equal(r.Key.X, key.X) && bytes.Equal(r.Key.Y, key.Y)
}

// publicKey reads a public key in the forms that relying parties keep.
func publicKey(b []byte) (key cose.Key, err error) {
	if err := cbor.Unmarshal(b, &key); err == nil {
		return key, nil
	}
	if public, err := x509.ParsePKIXPublicKey(b); err == nil {
		if ec, ok := public.(*ecdsa.PublicKey); ok {
			return cose.FromECDSA(ec)
		}
	}
	return key, fmt.Errorf("%w: neither a public key nor authenticator data", ErrDocument)
}
