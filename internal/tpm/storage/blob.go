package storage

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/tpm/policy"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// blobVersion is the first byte of an encoded blob.
const blobVersion = 1

// CoordinateBytes is the length of a P-256 coordinate. TPMs before specification
// 1.38 leave leading zeros out.
const CoordinateBytes = 32

// Blob is a key as it is kept outside of the TPM:
//
//	01 | TPM2B_PRIVATE (encrypted by the SRK) | TPM2B_PUBLIC
type Blob struct {
	private []byte
	public  []byte // TPMT_PUBLIC
}

// Encode gives the blob as bytes for a disk.
func (b Blob) Encode() []byte {
	out := make([]byte, 0, 1+2+len(b.private)+2+len(b.public))
	out = append(out, blobVersion)
	out = append(out, tpm2.Marshal(tpm2.TPM2BPrivate{Buffer: b.private})...)
	return append(out, tpm2.Marshal(tpm2.TPM2BData{Buffer: b.public})...)
}

// Decode takes what Encode gave.
func Decode(b []byte) (Blob, error) {
	if len(b) < 1 || b[0] != blobVersion {
		return Blob{}, fmt.Errorf("%w: an unknown format", ErrMalformed)
	}
	private, rest, err := wire.Sized(b[1:])
	if err != nil {
		return Blob{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	public, rest, err := wire.Sized(rest)
	if err != nil {
		return Blob{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(private) == 0 || len(public) == 0 || len(rest) != 0 {
		return Blob{}, fmt.Errorf("%w: empty, or too long", ErrMalformed)
	}
	return Blob{private: private, public: public}, nil
}

// unique gives what the TPM filled in, and only if all the rest of the public area
// is, byte for byte, what template demands: kind, attributes and policy.
func (b Blob) unique(template tpm2.TPMTPublic) ([]byte, error) {
	return unique(b.public, template)
}

func unique(public []byte, template tpm2.TPMTPublic) ([]byte, error) {
	want := tpm2.Marshal(template)
	empty := 2 // TPM2B_DIGEST
	if template.Type == tpm2.TPMAlgECC {
		empty = 4 // TPMS_ECC_POINT: two TPM2B
	}
	rest, ok := bytes.CutPrefix(public, want[:len(want)-empty])
	if !ok {
		return nil, fmt.Errorf("%w: of another kind, policy or generation than it is used for", ErrMalformed)
	}
	return rest, nil
}

// point gives a signing key's public key. That it is on the curve is checked.
func point(unique []byte, curve elliptic.Curve) (cose.Key, error) {
	size := (curve.Params().BitSize + 7) / 8
	x, rest, errX := wire.Sized(unique)
	y, rest, errY := wire.Sized(rest)
	if errX != nil || errY != nil || len(rest) != 0 || len(x) > size || len(y) > size {
		return cose.Key{}, fmt.Errorf("%w: its public key", ErrMalformed)
	}
	raw := make([]byte, 1+2*size)
	raw[0] = 4 // uncompressed, SEC 1 §2.3.3
	copy(raw[1+size-len(x):], x)
	copy(raw[1+2*size-len(y):], y)
	public, err := ecdsa.ParseUncompressedPublicKey(curve, raw)
	if err != nil {
		return cose.Key{}, fmt.Errorf("%w: its public key: %w", ErrMalformed, err)
	}
	return cose.FromECDSA(public)
}

// checkDigest checks what is unique in a MAC key or a sealed one: a digest.
func checkDigest(unique []byte) error {
	if digest, rest, err := wire.Sized(unique); err != nil || len(rest) != 0 || len(digest) != policy.NameBytes-2 {
		return fmt.Errorf("%w: its public area", ErrMalformed)
	}
	return nil
}

// Point gives the public key of an ECC key whose public area is, byte for byte, what
// template demands and a point of its curve, P-256 or P-384.
func Point(public []byte, template tpm2.TPMTPublic) (cose.Key, error) {
	rest, err := unique(public, template)
	if err != nil {
		return cose.Key{}, err
	}
	parameters, err := template.Parameters.ECCDetail()
	if err != nil {
		return cose.Key{}, err
	}
	if parameters.CurveID == tpm2.TPMECCNistP384 {
		return point(rest, elliptic.P384())
	}
	return point(rest, elliptic.P256())
}

// Public is the key's public area, TPMT_PUBLIC.
func (b Blob) Public() []byte { return bytes.Clone(b.public) }

// Signing checks that the blob is a signing key for an algorithm under p and gives its
// public key.
func (b Blob) Signing(p policy.Digest, algorithm cose.Algorithm) (cose.Key, error) {
	return Point(b.public, SigningKey(p, algorithm))
}

// MAC checks that the blob is a MAC key under p.
func (b Blob) MAC(p policy.Digest) error {
	unique, err := b.unique(MACKey(p))
	if err != nil {
		return err
	}
	return checkDigest(unique)
}

// Load loads b under the SRK. That the Name is the one that the public area has is
// compared, so that what follows is about this very key.
func (b Blob) Load(t transport.TPM, parent *SRK) (tpm2.NamedHandle, error) {
	rsp, err := tpm2.Load{
		ParentHandle: parent.auth(),
		InPrivate:    tpm2.TPM2BPrivate{Buffer: b.private},
		InPublic:     tpm2.BytesAs2B[tpm2.TPMTPublic](b.public),
	}.Execute(t)
	if err != nil {
		return tpm2.NamedHandle{}, fmt.Errorf("Load: %w", err)
	}
	return b.named(rsp.ObjectHandle, rsp.Name)
}

// named is a loaded blob, if the TPM calls it by the Name that it has.
func (b Blob) named(handle tpm2.TPMHandle, said tpm2.TPM2BName) (tpm2.NamedHandle, error) {
	name := policy.Name(b.public)
	if !bytes.Equal(said.Buffer, name.Buffer) {
		return tpm2.NamedHandle{}, errors.New("the TPM loaded another key")
	}
	return tpm2.NamedHandle{Handle: handle, Name: name}, nil
}
