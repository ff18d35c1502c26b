package tpm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
)

// wrappedVersion is the first byte of a handle.
const wrappedVersion = 1

// coordinateBytes is the length of a P-256 coordinate. TPMs before specification
// 1.38 leave leading zeros out.
const coordinateBytes = 32

// wrapped is a key as it is kept outside of the TPM:
//
//	01 | TPM2B_PRIVATE (encrypted by the SRK) | TPM2B_PUBLIC
type wrapped struct {
	private []byte
	public  []byte // TPMT_PUBLIC
}

func (w wrapped) encode() []byte {
	b := make([]byte, 0, 1+2+len(w.private)+2+len(w.public))
	b = append(b, wrappedVersion)
	b = append(b, tpm2.Marshal(tpm2.TPM2BPrivate{Buffer: w.private})...)
	return append(b, tpm2.Marshal(tpm2.TPM2BData{Buffer: w.public})...)
}

func decodeWrapped(b []byte) (wrapped, error) {
	if len(b) < 1 || b[0] != wrappedVersion {
		return wrapped{}, errors.New("a key handle of an unknown format")
	}
	private, rest, ok := sized(b[1:])
	if !ok {
		return wrapped{}, errors.New("a key handle is cut short")
	}
	public, rest, ok := sized(rest)
	if !ok {
		return wrapped{}, errors.New("a key handle is cut short")
	}
	if len(private) == 0 || len(public) == 0 || len(rest) != 0 {
		return wrapped{}, errors.New("a key handle is malformed")
	}
	return wrapped{private: private, public: public}, nil
}

// sized splits one TPM2B off.
func sized(b []byte) (content, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b)-2 < n {
		return nil, nil, false
	}
	return b[2 : 2+n], b[2+n:], true
}

// unique gives what the TPM filled in, and only if all the rest of the public area
// is, byte for byte, what template demands: kind, attributes and policy.
func (w wrapped) unique(template tpm2.TPMTPublic) ([]byte, error) {
	want := tpm2.Marshal(template)
	empty := 2 // TPM2B_DIGEST
	if template.Type == tpm2.TPMAlgECC {
		empty = 4 // TPMS_ECC_POINT: two TPM2B
	}
	unique, ok := bytes.CutPrefix(w.public, want[:len(want)-empty])
	if !ok {
		return nil, errors.New("a key handle is of another kind, policy or generation than it is used for")
	}
	return unique, nil
}

// point gives a signing key's public key. That it is on the curve is checked.
func point(unique []byte) (cose.Key, error) {
	x, rest, okX := sized(unique)
	y, rest, okY := sized(rest)
	if !okX || !okY || len(rest) != 0 || len(x) > coordinateBytes || len(y) > coordinateBytes {
		return cose.Key{}, errors.New("a key handle has a malformed public key")
	}
	raw := make([]byte, 1+2*coordinateBytes)
	raw[0] = 4 // uncompressed, SEC 1 §2.3.3
	copy(raw[1+coordinateBytes-len(x):], x)
	copy(raw[1+2*coordinateBytes-len(y):], y)
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw)
	if err != nil {
		return cose.Key{}, fmt.Errorf("a key handle has a malformed public key: %w", err)
	}
	return cose.FromECDSA(public)
}

// checkDigest checks what is unique in a MAC key or a sealed one: a digest.
func checkDigest(unique []byte) error {
	if digest, rest, ok := sized(unique); !ok || len(rest) != 0 || len(digest) != nameBytes-2 {
		return errors.New("a key handle has a malformed public area")
	}
	return nil
}

// asKey makes the authenticator's key of w, if w is what spec says.
func (w wrapped) asKey(spec authenticator.KeySpec, index tpm2.TPM2BName) (*authenticator.Key, error) {
	unique, err := w.unique(template(spec, index))
	if err != nil {
		return nil, err
	}
	key := &authenticator.Key{KeySpec: spec, Handle: w.encode()}
	if spec.Kind == authenticator.MACKey {
		return key, checkDigest(unique)
	}
	key.Public, err = point(unique)
	return key, err
}

// load loads w under the SRK. That the Name is the one that the public area has is
// compared, so that what follows is about this very key.
func (w wrapped) load(t transport.TPM, parent *srk) (tpm2.NamedHandle, error) {
	rsp, err := tpm2.Load{
		ParentHandle: parent.auth(),
		InPrivate:    tpm2.TPM2BPrivate{Buffer: w.private},
		InPublic:     tpm2.BytesAs2B[tpm2.TPMTPublic](w.public),
	}.Execute(t)
	if err != nil {
		return tpm2.NamedHandle{}, fmt.Errorf("Load: %w", err)
	}
	name := nameOf(w.public)
	if !bytes.Equal(rsp.Name.Buffer, name.Buffer) {
		return tpm2.NamedHandle{}, errors.New("the TPM loaded another key")
	}
	return tpm2.NamedHandle{Handle: rsp.ObjectHandle, Name: name}, nil
}
