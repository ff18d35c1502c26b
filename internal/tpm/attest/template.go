package attest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/tpm/storage"
)

// ErrEndorsement says that a certificate's key is none that a TPM makes from the two
// templates that we know.
var ErrEndorsement = errors.New("an endorsement key is RSA-2048 or P-256")

// rsaBits is the length of the RSA endorsement key (EK Credential Profile B.3.3).
const rsaBits = 2048

// Key is the public area of the attestation key, but for its point: it signs what
// the TPM has put together and nothing else, and never leaves.
func Key() tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type:    tpm2.TPMAlgECC,
		NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM:            true,
			FixedParent:         true,
			SensitiveDataOrigin: true,
			UserWithAuth:        true,
			NoDA:                true,
			Restricted:          true,
			SignEncrypt:         true,
		},
		Parameters: storage.ECDSA(),
		Unique:     tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{}),
	}
}

// Endorsement is the public area of the endorsement key that a certificate is for, which
// the TCG's templates L-1 (RSA-2048) and L-2 (P-256) give in all but the key itself (EK
// Credential Profile B.3.3, B.3.4).
func Endorsement(public any) (tpm2.TPMTPublic, error) {
	switch key := public.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() != rsaBits {
			return tpm2.TPMTPublic{}, ErrEndorsement
		}
		area := tpm2.RSAEKTemplate
		area.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: key.N.Bytes()})
		return area, nil
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return tpm2.TPMTPublic{}, ErrEndorsement
		}
		raw, err := key.Bytes()
		if err != nil {
			return tpm2.TPMTPublic{}, err
		}
		area := tpm2.ECCEKTemplate
		area.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
			X: tpm2.TPM2BECCParameter{Buffer: raw[1 : 1+storage.CoordinateBytes]},
			Y: tpm2.TPM2BECCParameter{Buffer: raw[1+storage.CoordinateBytes:]},
		})
		return area, nil
	default:
		return tpm2.TPMTPublic{}, ErrEndorsement
	}
}
