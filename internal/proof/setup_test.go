package proof_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/proof"
	"github.com/localpasskey/localpasskey/internal/tpm/attest"
	"github.com/localpasskey/localpasskey/internal/tpm/pinindex"
	"github.com/localpasskey/localpasskey/internal/tpm/policy"
	"github.com/localpasskey/localpasskey/internal/tpm/storage"
)

// intruder was root at set-up, and has kept K.
type intruder struct {
	*machine
	k     *software
	index *pinindex.Index
}

func (m *machine) intrude() *intruder {
	m.Helper()
	k := inSoftware(m, tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256, Parameters: storage.ECDSA(),
		ObjectAttributes: tpm2.TPMAObject{UserWithAuth: true, NoDA: true, SignEncrypt: true},
	})
	name := policy.Name(k.public)
	i := &intruder{m, k, pinindex.At(pinindex.Last, pinindex.Approvals{Authority: name.Buffer})}
	_, err := tpm2.NVDefineSpace{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		PublicInfo: tpm2.New2B(pinindex.Public(pinindex.Last, policy.Authorized(name), false)),
	}.Execute(m.dial())
	must(m, err)
	return i
}

// limits writes the index: it stops at so many wrong PINs.
func (i *intruder) limits(attempts uint32) {
	i.Helper()
	conn := i.dial()
	approved := policy.Digest{}.Command(tpm2.TPMCCNVWrite)
	digest := sha256.Sum256(approved[:])
	loaded, err := tpm2.LoadExternal{InPublic: tpm2.BytesAs2B[tpm2.TPMTPublic](i.k.public), Hierarchy: tpm2.TPMRHOwner}.Execute(conn)
	must(i, err)
	r, s, err := ecdsa.Sign(rand.Reader, i.k.key, digest[:])
	must(i, err)
	ticket, err := tpm2.VerifySignature{
		KeyHandle: tpm2.NamedHandle{Handle: loaded.ObjectHandle, Name: loaded.Name}, Digest: tpm2.TPM2BDigest{Buffer: digest[:]},
		Signature: tpm2.TPMTSignature{SigAlg: tpm2.TPMAlgECDSA, Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgECDSA, &tpm2.TPMSSignatureECC{
			Hash:       tpm2.TPMAlgSHA256,
			SignatureR: tpm2.TPM2BECCParameter{Buffer: r.FillBytes(make([]byte, storage.CoordinateBytes))},
			SignatureS: tpm2.TPM2BECCParameter{Buffer: s.FillBytes(make([]byte, storage.CoordinateBytes))},
		})},
	}.Execute(conn)
	must(i, err)
	name := must1[*tpm2.NVReadPublicResponse](i)(tpm2.NVReadPublic{NVIndex: i.index.Handle}.Execute(conn)).NVName
	_, err = tpm2.NVWrite{
		AuthHandle: tpm2.AuthHandle{Handle: i.index.Handle, Name: name, Auth: tpm2.Policy(tpm2.TPMAlgSHA256, 16,
			func(t transport.TPM, session tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) error {
				_, err := tpm2.PolicyCommandCode{PolicySession: session, Code: tpm2.TPMCCNVWrite}.Execute(t)
				if err != nil {
					return err
				}
				_, err = tpm2.PolicyAuthorize{
					PolicySession: session, ApprovedPolicy: tpm2.TPM2BDigest{Buffer: approved[:]},
					KeySign: loaded.Name, CheckTicket: ticket.Validation,
				}.Execute(t)
				return err
			})},
		NVIndex: tpm2.NamedHandle{Handle: i.index.Handle, Name: name},
		Data:    tpm2.TPM2BMaxNVBuffer{Buffer: binary.BigEndian.AppendUint32(make([]byte, 4), attempts)},
	}.Execute(conn)
	must(i, err)
}

// TestSetUpKeyKept is what a proof cannot show, and what it still does: while the limit is
// 8 nobody can tell that K was kept; once it is another one, the TPM says so.
func TestSetUpKeyKept(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	i := m.intrude()
	i.limits(pinindex.Attempts)
	hash := rpIDHash()
	p := *m.prover(m.key(authenticator.PINBound))
	p.Index = i.index
	var err error
	p.Key, err = p.SRK.Create(m.dial(), storage.SigningKey(i.index.PINPolicy(hash[:]), cose.ES256))
	must(t, err)
	proven := func() (*proof.Note, *proof.Answer) {
		claim := proof.NewClaim(site, credentialID(), must1[*attest.Identity](t)(p.Identity(t.Context())))
		challenge, note, err := m.trusts().NewChallenge(claim)
		must(t, err)
		return note, proof.NewAnswer(must1[*attest.Answer](t)(p.Answer(t.Context(), challenge.ForTPM())))
	}
	note, answer := proven()
	if shown, err := m.trusts().Verify(note, answer); err != nil || shown.Attempts != pinindex.Attempts {
		t.Errorf("with the limit of always: %+v, %v", shown, err)
	}
	i.limits(100)
	note, answer = proven()
	if _, err := m.trusts().Verify(note, answer); !errors.Is(err, proof.ErrLimit) {
		t.Errorf("with a limit of 100: %v", err)
	}
	without := clone(answer)
	without.Limit = nil
	if shown, err := m.trusts().Verify(note, without); err != nil || shown.Attempts != 0 {
		t.Errorf("not saying it: %+v, %v", shown, err)
	}
	// The statement of another index does not help.
	ours := m.round(m.key(authenticator.PINBound), m.trusts())
	if bytes.Equal(ours.claim.PINIndex, note.Claim.PINIndex) {
		t.Fatal("the same index")
	}
	good := m.prover(m.key(authenticator.PINBound))
	good.Key = p.Key
	challenge, fresh, err := m.trusts().NewChallenge(note.Claim)
	must(t, err)
	mixed := proof.NewAnswer(must1[*attest.Answer](t)(good.Answer(t.Context(), challenge.ForTPM())))
	if _, err := m.trusts().Verify(fresh, mixed); !errors.Is(err, proof.ErrOther) {
		t.Errorf("with the limit of an index that has nothing to do with it: %v", err)
	}
}
