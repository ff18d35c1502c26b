package storage

import (
	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/tpm/policy"
)

// SigningKey is the public area of an ECDSA key for an algorithm, ES256 or ES384, that
// works under p only.
func SigningKey(p policy.Digest, algorithm cose.Algorithm) tpm2.TPMTPublic {
	public := keyTemplate(p)
	public.Type = tpm2.TPMAlgECC
	public.Parameters = signing(algorithm)
	public.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{})
	return public
}

// MACKey is the public area of an HMAC-SHA-256 key that works under p only.
func MACKey(p policy.Digest) tpm2.TPMTPublic {
	public := keyTemplate(p)
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

// keyTemplate is what both have in common. userWithAuth is clear: a policy is the
// only way. adminWithPolicy is clear too, which is harmless: the ADMIN role changes
// authValues, and no policy of ours asks for one.
func keyTemplate(p policy.Digest) tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM:            true,
			FixedParent:         true,
			SensitiveDataOrigin: true,
			NoDA:                true,
			SignEncrypt:         true,
		},
		AuthPolicy: tpm2.TPM2BDigest{Buffer: p[:]},
	}
}

// ECDSA are the parameters of a P-256 key for ECDSA with SHA-256.
func ECDSA() tpm2.TPMUPublicParms { return signing(cose.ES256) }

// signing are the parameters of a key for an algorithm.
func signing(algorithm cose.Algorithm) tpm2.TPMUPublicParms {
	curve, hash := tpm2.TPMECCNistP256, tpm2.TPMAlgSHA256
	if algorithm == cose.ES384 {
		curve, hash = tpm2.TPMECCNistP384, tpm2.TPMAlgSHA384
	}
	return tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
		Symmetric: tpm2.TPMTSymDefObject{Algorithm: tpm2.TPMAlgNull},
		Scheme: tpm2.TPMTECCScheme{
			Scheme:  tpm2.TPMAlgECDSA,
			Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: hash}),
		},
		CurveID: curve,
		KDF:     tpm2.TPMTKDFScheme{Scheme: tpm2.TPMAlgNull},
	})
}

// sealTemplate is the public area of the sealed key: only this chip opens it, and
// it asks for nothing.
func sealTemplate() tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type:    tpm2.TPMAlgKeyedHash,
		NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM:     true,
			FixedParent:  true,
			UserWithAuth: true,
			NoDA:         true,
		},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{
			Scheme: tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgNull},
		}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{}),
	}
}
