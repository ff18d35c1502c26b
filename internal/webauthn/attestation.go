package webauthn

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
)

// ErrSignature is the answer to an attestation that does not verify.
var ErrSignature = errors.New("attestation does not verify")

// From the specification: WebAuthn L3 §8.2 and §8.7, attestation statement formats.
const (
	FormatPacked = "packed"
	FormatNone   = "none"
)

// AttestationObject carries a new credential to the relying party (WebAuthn L3
// §6.5.4). AuthData is the byte form of AuthenticatorData; Statement is a CBOR map
// or array, by Format.
type AttestationObject struct {
	Format    string   `cbor:"fmt"`
	Statement cbor.Raw `cbor:"attStmt"`
	AuthData  []byte   `cbor:"authData"`
}

// attestationHeader is the first byte of a map of three entries.
const attestationHeader = 0xa3

// Marshal gives the CBOR form. An object without all three parts is ErrMalformed.
func (o AttestationObject) Marshal() ([]byte, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return cbor.Marshal(o)
}

// ParseAttestationObject reads the CBOR form, all of it, and looks into neither
// Statement nor AuthData. Errors are ErrMalformed and those of cbor.
func ParseAttestationObject(data []byte) (AttestationObject, error) {
	var o AttestationObject
	if err := cbor.Unmarshal(data, &o); err != nil {
		return AttestationObject{}, err
	}
	// Three entries leave no room for a foreign one beside those checked below.
	if data[0] != attestationHeader {
		return AttestationObject{}, fmt.Errorf("%w: attestation object with map header %#02x", ErrMalformed, data[0])
	}
	return o, o.check()
}

func (o AttestationObject) check() error {
	const majorArray, majorMap = 4, 5
	switch {
	case o.Format == "":
		return fmt.Errorf("%w: attestation object without a format", ErrMalformed)
	case len(o.AuthData) == 0:
		return fmt.Errorf("%w: attestation object without authenticator data", ErrMalformed)
	case len(o.Statement) == 0 || o.Statement[0]>>5 != majorMap && o.Statement[0]>>5 != majorArray:
		return fmt.Errorf("%w: attestation statement is neither map nor array", ErrMalformed)
	}
	return nil
}

// PackedStatement is the packed attestation statement (WebAuthn L3 §8.2). X5C is
// nil for self attestation, else DER certificates, the signer's first. cbor.Marshal
// gives its CBOR form.
type PackedStatement struct {
	Algorithm cose.Algorithm `cbor:"alg"`
	Signature []byte         `cbor:"sig"`
	X5C       [][]byte       `cbor:"x5c,omitempty"`
}

// ParsePackedStatement reads the CBOR form. Errors are ErrMalformed and those of
// cbor.
func ParsePackedStatement(raw cbor.Raw) (PackedStatement, error) {
	var s PackedStatement
	if err := cbor.Unmarshal(raw, &s); err != nil {
		return PackedStatement{}, err
	}
	return s, s.check()
}

func (s PackedStatement) check() error {
	switch {
	case s.Algorithm == 0:
		return fmt.Errorf("%w: packed statement without an algorithm", ErrMalformed)
	case len(s.Signature) == 0:
		return fmt.Errorf("%w: packed statement without a signature", ErrMalformed)
	case s.X5C != nil && len(s.X5C) == 0:
		return fmt.Errorf("%w: packed statement with an empty certificate chain", ErrMalformed)
	}
	return nil
}

// VerifyPackedSelf verifies a packed self attestation as a relying party does
// (WebAuthn L3 §8.2). clientDataHash is SHA-256 of the client data. What does not
// verify is ErrSignature; what cannot be read has the error of its parser.
func VerifyPackedSelf(obj AttestationObject, clientDataHash []byte) error {
	if obj.Format != FormatPacked {
		return fmt.Errorf("%w: format %q is not packed", ErrSignature, obj.Format)
	}
	if len(clientDataHash) != sha256.Size {
		return fmt.Errorf("%w: client data hash of %d bytes", ErrMalformed, len(clientDataHash))
	}
	statement, err := ParsePackedStatement(obj.Statement)
	if err != nil {
		return err
	}
	data, err := ParseAuthenticatorData(obj.AuthData)
	if err != nil {
		return err
	}
	switch {
	case data.Attested == nil:
		return fmt.Errorf("%w: no attested credential", ErrSignature)
	case statement.X5C != nil:
		return fmt.Errorf("%w: certificates make it no self attestation", ErrSignature)
	case statement.Algorithm != data.Attested.PublicKey.Algorithm:
		return fmt.Errorf("%w: algorithm %d, but the key's is %d", ErrSignature, statement.Algorithm, data.Attested.PublicKey.Algorithm)
	}
	signed := append(append([]byte(nil), obj.AuthData...), clientDataHash...)
	return verify(data.Attested.PublicKey, signed, statement.Signature)
}

func verify(key cose.Key, message, signature []byte) error {
	public, err := key.ECDSA()
	if err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(public, digest(key.Algorithm, message), signature) {
		return ErrSignature
	}
	return nil
}

// digest hashes message as an algorithm that cose.Key.ECDSA accepts wants it.
func digest(a cose.Algorithm, message []byte) []byte {
	if a == cose.ES384 {
		sum := sha512.Sum384(message)
		return sum[:]
	}
	sum := sha256.Sum256(message)
	return sum[:]
}
