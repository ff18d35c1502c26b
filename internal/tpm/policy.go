package tpm

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// attempts is the PIN index's limit. CTAP's own counter of eight is the same
// number, and this is where it is kept.
const attempts = 8

// From the specification: Part 2 §13.3, TPMS_NV_PIN_COUNTER_PARAMETERS.
const (
	pinCounterBytes = 8 // count and limit, 32 bits each
	pinLimitOffset  = 4
)

// policy is a policy digest (Part 1 §19.7). The zero value is the empty policy.
type policy [sha256.Size]byte

// extend is the step that all policy commands have in common.
func (p policy) extend(parts ...[]byte) policy {
	hash := sha256.New()
	hash.Write(p[:])
	for _, part := range parts {
		hash.Write(part)
	}
	return policy(hash.Sum(nil))
}

// secret is TPM2_PolicySecret: the entity's authorization must be shown (Part 3 §23.4).
func (p policy) secret(name tpm2.TPM2BName, ref []byte) policy {
	return p.extend(code(tpm2.TPMCCPolicySecret), name.Buffer).extend(ref)
}

// command is TPM2_PolicyCommandCode: for this command only (Part 3 §23.11).
func (p policy) command(cc tpm2.TPMCC) policy {
	return p.extend(code(tpm2.TPMCCPolicyCommandCode), code(cc))
}

// limitStands is TPM2_PolicyNV: the index exists, has been written, and its limit
// is what it was made with (Part 3 §23.9).
func (p policy) limitStands(name tpm2.TPM2BName) policy {
	args := sha256.New()
	args.Write(limit())
	args.Write(binary.BigEndian.AppendUint16(nil, pinLimitOffset))
	args.Write(binary.BigEndian.AppendUint16(nil, uint16(tpm2.TPMEOEq)))
	return p.extend(code(tpm2.TPMCCPolicyNV), args.Sum(nil), name.Buffer)
}

// authorized is TPM2_PolicyAuthorize: whatever the key called name has approved
// (Part 3 §23.16).
func authorized(name tpm2.TPM2BName) policy {
	return policy{}.extend(code(tpm2.TPMCCPolicyAuthorize), name.Buffer).extend()
}

func code(cc tpm2.TPMCC) []byte { return binary.BigEndian.AppendUint32(nil, uint32(cc)) }

func limit() []byte { return binary.BigEndian.AppendUint32(nil, attempts) }

// The policies that K approves.
func writePolicy() policy { return policy{}.command(tpm2.TPMCCNVWrite) }
func readPolicy() policy  { return policy{}.command(tpm2.TPMCCNVRead) }
func provePolicy() policy { return policy{}.command(tpm2.TPMCCPolicyNV) }
func changePolicy(index tpm2.TPM2BName) policy {
	return policy{}.secret(index, nil).command(wire.NVChangeAuth)
}

// keyPolicy is what a key's own policy demands.
func keyPolicy(spec authenticator.KeySpec, index tpm2.TPM2BName) policy {
	if spec.Binding == authenticator.PresenceOnly {
		return policy{}.limitStands(index)
	}
	return policy{}.secret(index, spec.RPIDHash[:])
}

// indexPublic is the public area of a PIN index. Only the policy tells one from
// another; written changes the Name, which is the point of it.
//
// There is no OWNERWRITE, AUTHWRITE or PPWRITE, so the policy alone writes; and
// nothing in any approved policy is PolicyAuthValue or PolicyPassword, on whose
// path the limit is not enforced.
func indexPublic(handle tpm2.TPMHandle, authPolicy policy, written bool) tpm2.TPMSNVPublic {
	return tpm2.TPMSNVPublic{
		NVIndex: handle,
		NameAlg: tpm2.TPMAlgSHA256,
		Attributes: tpm2.TPMANV{
			NT:          tpm2.TPMNTPinFail,
			PolicyWrite: true,
			OwnerRead:   true,
			AuthRead:    true,
			PolicyRead:  true,
			NoDA:        true,
			Written:     written,
		},
		AuthPolicy: tpm2.TPM2BDigest{Buffer: authPolicy[:]},
		DataSize:   pinCounterBytes,
	}
}

// indexName is the Name of a PIN index (Part 1 §16).
func indexName(handle tpm2.TPMHandle, authPolicy policy, written bool) tpm2.TPM2BName {
	return nameOf(tpm2.Marshal(indexPublic(handle, authPolicy, written)))
}

// nameOf is the Name of what has this public area, for SHA-256 throughout.
func nameOf(public []byte) tpm2.TPM2BName {
	digest := sha256.Sum256(public)
	name := binary.BigEndian.AppendUint16(nil, uint16(tpm2.TPMAlgSHA256))
	return tpm2.TPM2BName{Buffer: append(name, digest[:]...)}
}

// template is the public area of a key before the TPM has filled in what is unique.
// The key works under its policy only: userWithAuth is clear. adminWithPolicy is
// clear too, which is harmless: the ADMIN role changes authValues, and no policy
// here asks for one.
func template(spec authenticator.KeySpec, index tpm2.TPM2BName) tpm2.TPMTPublic {
	authPolicy := keyPolicy(spec, index)
	public := tpm2.TPMTPublic{
		NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM:            true,
			FixedParent:         true,
			SensitiveDataOrigin: true,
			NoDA:                true,
			SignEncrypt:         true,
		},
		AuthPolicy: tpm2.TPM2BDigest{Buffer: authPolicy[:]},
	}
	if spec.Kind == authenticator.MACKey {
		public.Type = tpm2.TPMAlgKeyedHash
		public.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{
			Scheme: tpm2.TPMTKeyedHashScheme{
				Scheme:  tpm2.TPMAlgHMAC,
				Details: tpm2.NewTPMUSchemeKeyedHash(tpm2.TPMAlgHMAC, &tpm2.TPMSSchemeHMAC{HashAlg: tpm2.TPMAlgSHA256}),
			},
		})
		public.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{})
		return public
	}
	public.Type = tpm2.TPMAlgECC
	public.Parameters = eccParameters()
	public.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{})
	return public
}

// eccParameters are those of a P-256 key for ECDSA with SHA-256.
func eccParameters() tpm2.TPMUPublicParms {
	return tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
		Symmetric: tpm2.TPMTSymDefObject{Algorithm: tpm2.TPMAlgNull},
		Scheme: tpm2.TPMTECCScheme{
			Scheme:  tpm2.TPMAlgECDSA,
			Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256}),
		},
		CurveID: tpm2.TPMECCNistP256,
		KDF:     tpm2.TPMTKDFScheme{Scheme: tpm2.TPMAlgNull},
	})
}
