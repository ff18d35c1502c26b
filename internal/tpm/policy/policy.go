// Package policy computes TPM policy digests and Names without a TPM.
//
//	Digest{} ─► Secret(name, ref) ─► Command(cc) ─► …   as the session would
//
// It is a few SHA-256 calls, written out so that what a key demands can be read
// here and compared with Part 3 line by line. Tests compute all of it a second time
// with go-tpm's calculator.
//
// This package refuses to know which policies are used for what.
package policy

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/google/go-tpm/tpm2"
)

// NameBytes is the length of a Name: the algorithm and a SHA-256 digest.
const NameBytes = 2 + sha256.Size

// Digest is a policy digest (Part 1 §19.7). The zero value is the empty policy.
type Digest [sha256.Size]byte

// extend is the step that all policy commands have in common.
func (d Digest) extend(parts ...[]byte) Digest {
	hash := sha256.New()
	hash.Write(d[:])
	for _, part := range parts {
		hash.Write(part)
	}
	return Digest(hash.Sum(nil))
}

// Secret is TPM2_PolicySecret: the authorization of the entity called name must be
// shown, for ref (Part 3 §23.4).
func (d Digest) Secret(name tpm2.TPM2BName, ref []byte) Digest {
	return d.extend(code(tpm2.TPMCCPolicySecret), name.Buffer).extend(ref)
}

// Command is TPM2_PolicyCommandCode: for this command only (Part 3 §23.11).
func (d Digest) Command(cc tpm2.TPMCC) Digest {
	return d.extend(code(tpm2.TPMCCPolicyCommandCode), code(cc))
}

// NVEquals is TPM2_PolicyNV: the index called name exists, has been written, and
// has operand at offset (Part 3 §23.9).
func (d Digest) NVEquals(name tpm2.TPM2BName, offset uint16, operand []byte) Digest {
	args := sha256.New()
	args.Write(operand)
	args.Write(binary.BigEndian.AppendUint16(nil, offset))
	args.Write(binary.BigEndian.AppendUint16(nil, uint16(tpm2.TPMEOEq)))
	return d.extend(code(tpm2.TPMCCPolicyNV), args.Sum(nil), name.Buffer)
}

// Authorized is TPM2_PolicyAuthorize: whatever the key called name has approved
// (Part 3 §23.16).
func Authorized(name tpm2.TPM2BName) Digest {
	return Digest{}.extend(code(tpm2.TPMCCPolicyAuthorize), name.Buffer).extend()
}

// Name is the Name of what has this public area, for SHA-256 throughout (Part 1 §16).
func Name(public []byte) tpm2.TPM2BName {
	digest := sha256.Sum256(public)
	name := binary.BigEndian.AppendUint16(nil, uint16(tpm2.TPMAlgSHA256))
	return tpm2.TPM2BName{Buffer: append(name, digest[:]...)}
}

func code(cc tpm2.TPMCC) []byte { return binary.BigEndian.AppendUint32(nil, uint32(cc)) }
