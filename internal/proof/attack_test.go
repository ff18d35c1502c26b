package proof_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/proof"
	"github.com/localpasskey/localpasskey/internal/tpm/attest"
	"github.com/localpasskey/localpasskey/internal/tpm/pinindex"
	"github.com/localpasskey/localpasskey/internal/tpm/policy"
	"github.com/localpasskey/localpasskey/internal/tpm/storage"
)

// software is a key that a program holds and says to be a TPM's.
type software struct {
	key    *ecdsa.PrivateKey
	public []byte // TPMT_PUBLIC
}

// inSoftware makes a key and dresses it as template says.
func inSoftware(t testing.TB, template tpm2.TPMTPublic) *software {
	t.Helper()
	s := &software{key: must1[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	raw := must1[[]byte](t)(s.key.PublicKey.Bytes())
	template.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
		X: tpm2.TPM2BECCParameter{Buffer: raw[1 : 1+storage.CoordinateBytes]},
		Y: tpm2.TPM2BECCParameter{Buffer: raw[1+storage.CoordinateBytes:]},
	})
	s.public = tpm2.Marshal(template)
	return s
}

// sign signs what no TPM would.
func (s *software) sign(t testing.TB, said []byte) proof.Statement {
	t.Helper()
	digest := sha256.Sum256(said)
	r, v, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	must(t, err)
	return proof.Statement{Attest: said, Signature: tpm2.Marshal(tpm2.TPMTSignature{
		SigAlg: tpm2.TPMAlgECDSA,
		Signature: tpm2.NewTPMUSignature(tpm2.TPMAlgECDSA, &tpm2.TPMSSignatureECC{
			Hash:       tpm2.TPMAlgSHA256,
			SignatureR: tpm2.TPM2BECCParameter{Buffer: r.FillBytes(make([]byte, storage.CoordinateBytes))},
			SignatureS: tpm2.TPM2BECCParameter{Buffer: v.FillBytes(make([]byte, storage.CoordinateBytes))},
		}),
	})}
}

// TestSoftwareAttestationKey: a program that has all of a genuine TPM, its certificate too,
// wants its own key to be believed.
func TestSoftwareAttestationKey(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	key := m.key(authenticator.PINBound)
	genuine := m.round(key, m.trusts())

	honest := attest.Key()
	honest.ObjectAttributes = tpm2.TPMAObject{UserWithAuth: true, NoDA: true, SignEncrypt: true}
	claim := clone(genuine.claim)
	claim.AttestationKey = inSoftware(t, honest).public
	if _, _, err := m.trusts().NewChallenge(claim); !errors.Is(err, proof.ErrAttestation) {
		t.Errorf("a key that does not say it is a TPM's: %v", err)
	}

	liar := inSoftware(t, attest.Key())
	claim.AttestationKey = liar.public
	challenge, note, err := m.trusts().NewChallenge(claim)
	must(t, err)
	if _, err := m.prover(key).Answer(t.Context(), challenge.ForTPM()); err == nil {
		t.Error("the TPM solved a challenge for a key that it does not have")
	}
	if secret, err := m.activatePublic(liar.public, challenge); err == nil {
		t.Errorf("the TPM gave %x away for a key of which it has the public half", secret)
	}
	statement := bytes.Replace(genuine.answer.Key.Attest, genuine.note.Nonce, note.Nonce, 1)
	forged := clone(genuine.answer)
	forged.Key, forged.Limit = liar.sign(t, statement), nil
	if _, err := m.trusts().Verify(note, forged); !errors.Is(err, proof.ErrSecret) {
		t.Errorf("signed by software, the secret of an earlier challenge: %v", err)
	}

	// With the genuine key in the claim the secret is to be had, but not the signature.
	challenge, note, err = m.trusts().NewChallenge(genuine.claim)
	must(t, err)
	forged = m.answer(key, challenge)
	forged.Key = liar.sign(t, forged.Key.Attest)
	if _, err := m.trusts().Verify(note, forged); !errors.Is(err, proof.ErrSignature) {
		t.Errorf("signed by software in the TPM's name: %v", err)
	}
	if err := m.signAnything(forged.Key.Attest); err == nil {
		t.Error("the attestation key signed what its TPM has not put together")
	}
}

// activatePublic has the TPM solve a challenge for a key whose public half was loaded.
func (m *machine) activatePublic(public []byte, c *proof.Challenge) ([]byte, error) {
	m.Helper()
	conn := m.dial()
	loaded, err := tpm2.LoadExternal{InPublic: tpm2.BytesAs2B[tpm2.TPMTPublic](public), Hierarchy: tpm2.TPMRHEndorsement}.Execute(conn)
	must(m, err)
	ek, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHEndorsement, Auth: tpm2.PasswordAuth(nil)},
		InPublic:      tpm2.New2B(tpm2.RSAEKTemplate),
	}.Execute(conn)
	must(m, err)
	rsp, err := tpm2.ActivateCredential{
		ActivateHandle: tpm2.AuthHandle{Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: tpm2.PasswordAuth(nil)},
		KeyHandle: tpm2.AuthHandle{Handle: ek.ObjectHandle, Name: ek.Name, Auth: tpm2.Policy(tpm2.TPMAlgSHA256, 16,
			func(t transport.TPM, s tpm2.TPMISHPolicy, nonce tpm2.TPM2BNonce) error {
				_, err := tpm2.PolicySecret{
					AuthHandle:    tpm2.AuthHandle{Handle: tpm2.TPMRHEndorsement, Auth: tpm2.PasswordAuth(nil)},
					PolicySession: s, NonceTPM: nonce,
				}.Execute(t)
				return err
			})},
		CredentialBlob: tpm2.TPM2BIDObject{Buffer: c.CredentialBlob},
		Secret:         tpm2.TPM2BEncryptedSecret{Buffer: c.EncryptedSecret},
	}.Execute(conn)
	if err != nil {
		m.Logf("ActivateCredential: %v", err)
		return nil, err
	}
	return rsp.CertInfo.Buffer, nil
}

// signAnything has the genuine attestation key sign bytes of ours.
func (m *machine) signAnything(said []byte) error {
	m.Helper()
	conn := m.dial()
	key, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHEndorsement, Auth: tpm2.PasswordAuth(nil)},
		InPublic:      tpm2.New2B(attest.Key()),
	}.Execute(conn)
	must(m, err)
	digest := sha256.Sum256(said)
	for _, ticket := range []tpm2.TPMTTKHashCheck{
		{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull},
		{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHEndorsement, Digest: tpm2.TPM2BDigest{Buffer: make([]byte, 32)}},
	} {
		_, err = tpm2.Sign{
			KeyHandle: tpm2.AuthHandle{Handle: key.ObjectHandle, Name: key.Name, Auth: tpm2.PasswordAuth(nil)},
			Digest:    tpm2.TPM2BDigest{Buffer: digest[:]}, Validation: ticket,
		}.Execute(conn)
		if err == nil {
			return nil
		}
		m.Logf("Sign: %v", err)
	}
	return err
}

// TestSoftwareKey: the key in question is a program's, dressed as a TPM's.
func TestSoftwareKey(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	key := m.key(authenticator.PINBound)
	genuine := m.claim(key)
	index := policy.Name(genuine.PINIndex)
	hash := rpIDHash()
	fake := inSoftware(t, storage.SigningKey(pinindex.PINPolicy(index, hash[:]), cose.ES256))
	claim := clone(genuine)
	claim.Key = fake.public
	challenge, note, err := m.trusts().NewChallenge(claim)
	must(t, err)
	if _, err := m.trusts().Verify(note, m.answer(key, challenge)); !errors.Is(err, proof.ErrOther) {
		t.Errorf("a statement about another key: %v", err)
	}
	conn := m.dial()
	loaded, err := tpm2.LoadExternal{InPublic: tpm2.BytesAs2B[tpm2.TPMTPublic](fake.public), Hierarchy: tpm2.TPMRHOwner}.Execute(conn)
	must(t, err)
	_, err = tpm2.Certify{
		ObjectHandle: tpm2.AuthHandle{Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: tpm2.PasswordAuth(nil)},
		SignHandle:   tpm2.AuthHandle{Handle: tpm2.TPMRHNull, Auth: tpm2.PasswordAuth(nil)},
		InScheme:     tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull},
	}.Execute(conn)
	if err == nil {
		t.Error("the TPM certified a key of which it has the public half")
	}
}

// TestPresenceOnly: a key that needs no PIN passes for one that does.
func TestPresenceOnly(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	weak := m.key(authenticator.PresenceOnly)
	claim := m.claim(weak)
	if _, _, err := m.trusts().NewChallenge(claim); !errors.Is(err, proof.ErrPresenceOnly) {
		t.Errorf("claimed as it is: %v", err)
	}
	// Its public area is changed to say that it needs the PIN.
	strong := m.claim(m.key(authenticator.PINBound))
	at := bytes.Index(strong.Key, policyOf(strong))
	dressed := clone(claim)
	dressed.Key = bytes.Clone(claim.Key)
	copy(dressed.Key[at:], policyOf(strong))
	challenge, note, err := m.trusts().NewChallenge(dressed)
	must(t, err)
	if _, err := m.trusts().Verify(note, m.answer(weak, challenge)); !errors.Is(err, proof.ErrOther) {
		t.Errorf("dressed as one that needs the PIN: %v", err)
	}
}

func policyOf(c *proof.Claim) []byte {
	hash := rpIDHash()
	p := pinindex.PINPolicy(policy.Name(c.PINIndex), hash[:])
	return p[:]
}

// TestWeakerKeys: keys that the TPM really has and certifies, but that are not what we
// make: each is less by one thing.
func TestWeakerKeys(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	genuine := m.prover(m.key(authenticator.PINBound))
	hash := rpIDHash()
	for what, weaken := range map[string]func(*tpm2.TPMTPublic){
		"it may leave":              func(p *tpm2.TPMTPublic) { p.ObjectAttributes.FixedTPM, p.ObjectAttributes.FixedParent = false, false },
		"a password is enough":      func(p *tpm2.TPMTPublic) { p.ObjectAttributes.UserWithAuth = true },
		"its policy changes it":     func(p *tpm2.TPMTPublic) { p.ObjectAttributes.AdminWithPolicy = true },
		"PIN of another site":       func(p *tpm2.TPMTPublic) { q := genuine.Index.PINPolicy(hash[1:]); p.AuthPolicy.Buffer = q[:] },
		"no policy":                 func(p *tpm2.TPMTPublic) { p.AuthPolicy.Buffer = nil; p.ObjectAttributes.UserWithAuth = true },
		"the lockout is not ours":   func(p *tpm2.TPMTPublic) { p.ObjectAttributes.NoDA = false },
		"it decrypts as well":       func(p *tpm2.TPMTPublic) { p.ObjectAttributes.Decrypt = true; p.Parameters = anyScheme() },
		"it signs in any scheme":    func(p *tpm2.TPMTPublic) { p.Parameters = anyScheme() },
		"it ends with the power":    func(p *tpm2.TPMTPublic) { p.ObjectAttributes.STClear = true },
		"its policy is another one": func(p *tpm2.TPMTPublic) { q := policy.Digest{}.Command(tpm2.TPMCCSign); p.AuthPolicy.Buffer = q[:] },
	} {
		template := storage.SigningKey(genuine.Index.PINPolicy(hash[:]), cose.ES256)
		weaken(&template)
		blob, err := genuine.SRK.Create(m.dial(), template)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		p := *genuine
		p.Key = blob
		claim := proof.NewClaim(site, credentialID(), must1[*attest.Identity](t)(p.Identity(t.Context())))
		if _, _, err := m.trusts().NewChallenge(claim); !errors.Is(err, proof.ErrKey) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// anyScheme are the parameters of a P-256 key that does as it is told.
func anyScheme() tpm2.TPMUPublicParms {
	return tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
		Symmetric: tpm2.TPMTSymDefObject{Algorithm: tpm2.TPMAlgNull},
		Scheme:    tpm2.TPMTECCScheme{Scheme: tpm2.TPMAlgNull},
		CurveID:   tpm2.TPMECCNistP256,
		KDF:       tpm2.TPMTKDFScheme{Scheme: tpm2.TPMAlgNull},
	})
}

// TestTampered changes each byte of an answer, one at a time.
func TestTampered(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	r := m.round(m.key(authenticator.PINBound), m.trusts())
	for what, field := range map[string]*[]byte{
		"secret": &r.answer.Secret, "statement": &r.answer.Key.Attest, "signature": &r.answer.Key.Signature,
		"limit": &r.answer.Limit.Attest, "signature of the limit": &r.answer.Limit.Signature,
		"nonce": &r.note.Nonce, "what was asked": &r.note.Secret,
	} {
		whole := *field
		for at := range whole {
			*field = flipped(whole, at)
			if shown, err := m.trusts().Verify(r.note, r.answer); err == nil {
				t.Fatalf("%s, byte %d changed: %+v", what, at, shown)
			}
		}
		*field = append(bytes.Clone(whole), 0)
		if _, err := m.trusts().Verify(r.note, r.answer); err == nil {
			t.Errorf("%s, one byte longer: it holds", what)
		}
		*field = whole
	}
	if _, err := m.trusts().Verify(r.note, r.answer); err != nil {
		t.Errorf("as it was: %v", err)
	}
	whole := r.answer.Key.Signature
	for algorithm := range 0x100 {
		r.answer.Key.Signature = append([]byte{0, byte(algorithm)}, whole[2:]...)
		if _, err := m.trusts().Verify(r.note, r.answer); err == nil && algorithm != int(tpm2.TPMAlgECDSA) {
			t.Errorf("a signature of kind %#x: it holds", algorithm)
		}
	}
	r.answer.Key.Signature = whole
	r.answer.Key, *r.answer.Limit = *r.answer.Limit, r.answer.Key
	if _, err := m.trusts().Verify(r.note, r.answer); !errors.Is(err, proof.ErrStatement) {
		t.Errorf("one statement for the other: %v", err)
	}
}

// TestReplayed gives old answers, whole and in parts, to a new challenge.
func TestReplayed(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	key := m.key(authenticator.PINBound)
	old := m.round(key, m.trusts())
	fresh := m.round(key, m.trusts())
	if bytes.Equal(old.note.Nonce, fresh.note.Nonce) || bytes.Equal(old.note.Secret, fresh.note.Secret) {
		t.Fatal("two challenges have a nonce or a secret in common")
	}
	if _, err := m.trusts().Verify(fresh.note, old.answer); !errors.Is(err, proof.ErrSecret) {
		t.Errorf("the old answer: %v", err)
	}
	mixed := clone(old.answer)
	mixed.Secret = fresh.answer.Secret
	if _, err := m.trusts().Verify(fresh.note, mixed); !errors.Is(err, proof.ErrNonce) {
		t.Errorf("old statements with the new secret: %v", err)
	}
	mixed = clone(fresh.answer)
	mixed.Limit = old.answer.Limit
	if _, err := m.trusts().Verify(fresh.note, mixed); !errors.Is(err, proof.ErrNonce) {
		t.Errorf("an old statement of the limit: %v", err)
	}
}

// TestAnotherChallenge: what was asked of one machine is answered by another, or about
// another passkey.
func TestAnotherChallenge(t *testing.T) {
	t.Parallel()
	m, other := newMachine(t), newMachine(t)
	key, second := m.key(authenticator.PINBound), m.key(authenticator.PINBound)
	challenge, note, err := m.trusts().NewChallenge(m.claim(key))
	must(t, err)
	_, err = other.prover(other.key(authenticator.PINBound)).Answer(t.Context(), challenge.ForTPM())
	if problem, ok := errors.AsType[*ctap.Problem](err); !ok || !strings.Contains(problem.What, "not made for this machine") {
		t.Errorf("another machine: %v", err)
	}
	if _, err := m.trusts().Verify(note, m.answer(second, challenge)); !errors.Is(err, proof.ErrOther) {
		t.Errorf("another passkey: %v", err)
	}
	theirs := other.round(other.key(authenticator.PINBound), other.trusts())
	if _, err := m.trusts().Verify(note, theirs.answer); !errors.Is(err, proof.ErrSecret) {
		t.Errorf("another machine's answer to another challenge: %v", err)
	}
}

// TestUntrusted: certificates that say nothing about a TPM.
func TestUntrusted(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	genuine := m.claim(m.key(authenticator.PINBound))
	root := newAuthority(t, nil)
	ek, _ := m.endorsementKeys()
	endorsed := func(usages ...asn1.ObjectIdentifier) []byte { return root.endorse(t, ek, usages) }
	late := trust(t, now().Add(2*time.Hour), root.pem())
	p384 := must1[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	for what, c := range map[string]struct {
		trust       proof.Trust
		certificate []byte
	}{
		"a CA unknown":          {trust(t, now(), root.pem()), genuine.Certificate},
		"no CA at all":          {trust(t, now()), genuine.Certificate},
		"only the root":         {trust(t, now(), m.ca.Root), genuine.Certificate}, // the issuer is not in this TPM
		"for another use":       {trust(t, now(), root.pem()), endorsed(asn1.ObjectIdentifier{2, 23, 133, 8, 3})},
		"for no use":            {trust(t, now(), root.pem()), endorsed()},
		"run out":               {late, endorsed(endorsementUsage()...)},
		"a CA's own":            {trust(t, now(), root.pem()), root.der},
		"a key of another kind": {trust(t, now(), root.pem()), root.endorse(t, &p384.PublicKey, endorsementUsage())},
		"none":                  {trust(t, now(), root.pem()), []byte{1, 2, 3}},
	} {
		claim := clone(genuine)
		claim.Certificate = c.certificate
		if _, _, err := c.trust.NewChallenge(claim); !errors.Is(err, proof.ErrUntrusted) {
			t.Errorf("%s: %v", what, err)
		}
	}
	claim := clone(genuine)
	claim.Certificate = endorsed(endorsementUsage()...)
	_, note, err := trust(t, now(), root.pem()).NewChallenge(claim)
	must(t, err)
	if _, err := m.trusts().Verify(note, &proof.Answer{}); err == nil {
		t.Error("an empty answer")
	}
}
