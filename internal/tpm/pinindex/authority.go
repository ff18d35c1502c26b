package pinindex

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/tpm/policy"
	"github.com/localpasskey/localpasskey/internal/tpm/storage"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// The policies that K approves.
func writePolicy() policy.Digest { return policy.Digest{}.Command(tpm2.TPMCCNVWrite) }
func readPolicy() policy.Digest  { return policy.Digest{}.Command(tpm2.TPMCCNVRead) }
func provePolicy() policy.Digest { return policy.Digest{}.Command(tpm2.TPMCCPolicyNV) }
func changePolicy(index tpm2.TPM2BName) policy.Digest {
	return policy.Digest{}.Secret(index, nil).Command(wire.NVChangeAuth)
}

// authority is K: a key whose approval satisfies the index's policy. It lives in
// this process while an index is made.
type authority struct {
	key    *ecdsa.PrivateKey
	public tpm2.TPMTPublic
	name   tpm2.TPM2BName
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	raw, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	public := tpm2.TPMTPublic{
		Type:             tpm2.TPMAlgECC,
		NameAlg:          tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{UserWithAuth: true, NoDA: true, SignEncrypt: true},
		Parameters:       storage.ECDSA(),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
			X: tpm2.TPM2BECCParameter{Buffer: raw[1 : 1+storage.CoordinateBytes]},
			Y: tpm2.TPM2BECCParameter{Buffer: raw[1+storage.CoordinateBytes:]},
		}),
	}
	return &authority{key: key, public: public, name: policy.Name(tpm2.Marshal(public))}, nil
}

// wipe forgets K as far as Go lets us: the number is overwritten, copies that the
// library made are not. SECURITY says what that is worth: K cannot be proven gone.
func (a *authority) wipe() {
	//nolint:staticcheck // Deprecated for building keys; here it is erased.
	clear(a.key.D.Bits())
}

// approve gives the TPM's ticket for K's signature on each policy.Digest, in order. Under
// TPM_RH_OWNER: tickets of the NULL hierarchy are void after the next start.
func (a *authority) approve(t transport.TPM, policies ...policy.Digest) ([][]byte, error) {
	loaded, err := tpm2.LoadExternal{
		InPublic:  tpm2.New2B(a.public),
		Hierarchy: tpm2.TPMRHOwner,
	}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("LoadExternal: %w", err)
	}
	var tickets [][]byte
	for _, p := range policies {
		digest := sha256.Sum256(p[:]) // aHash of policy ‖ policyRef, which is empty (Part 3 §23.16)
		r, s, err := ecdsa.Sign(rand.Reader, a.key, digest[:])
		if err != nil {
			return nil, err
		}
		rsp, err := tpm2.VerifySignature{
			KeyHandle: tpm2.NamedHandle{Handle: loaded.ObjectHandle, Name: a.name},
			Digest:    tpm2.TPM2BDigest{Buffer: digest[:]},
			Signature: tpm2.TPMTSignature{
				SigAlg: tpm2.TPMAlgECDSA,
				Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgECDSA, &tpm2.TPMSSignatureECC{
					Hash:       tpm2.TPMAlgSHA256,
					SignatureR: tpm2.TPM2BECCParameter{Buffer: r.FillBytes(make([]byte, storage.CoordinateBytes))},
					SignatureS: tpm2.TPM2BECCParameter{Buffer: s.FillBytes(make([]byte, storage.CoordinateBytes))},
				}),
			},
		}.Execute(t)
		if err != nil {
			return nil, fmt.Errorf("VerifySignature: %w", err)
		}
		tickets = append(tickets, rsp.Validation.Digest.Buffer)
	}
	_, err = tpm2.FlushContext{FlushHandle: loaded.ObjectHandle}.Execute(t)
	return tickets, err
}

// authorize ends a policy with its command code and K's approval.
func authorize(t transport.TPM, s *wire.Session, p policy.Digest, ticket []byte, by tpm2.TPM2BName, cc tpm2.TPMCC) error {
	if _, err := (tpm2.PolicyCommandCode{PolicySession: s.Handle(), Code: cc}).Execute(t); err != nil {
		return fmt.Errorf("PolicyCommandCode: %w", err)
	}
	_, err := tpm2.PolicyAuthorize{
		PolicySession:  s.Handle(),
		ApprovedPolicy: tpm2.TPM2BDigest{Buffer: p[:]},
		KeySign:        by,
		CheckTicket: tpm2.TPMTTKVerified{
			Tag:       tpm2.TPMSTVerified,
			Hierarchy: tpm2.TPMRHOwner,
			Digest:    tpm2.TPM2BDigest{Buffer: ticket},
		},
	}.Execute(t)
	if err != nil {
		return fmt.Errorf("PolicyAuthorize: %w", err)
	}
	return nil
}
