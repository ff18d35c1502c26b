package proof

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/tpm/attest"
	"github.com/localpasskey/localpasskey/internal/tpm/pinindex"
	"github.com/localpasskey/localpasskey/internal/tpm/policy"
	"github.com/localpasskey/localpasskey/internal/tpm/storage"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// Why a proof does not hold.
var (
	ErrUntrusted    = errors.New("no CA that you trust vouches for this TPM")
	ErrAttestation  = errors.New("the attestation key is not one that a TPM keeps to its own statements")
	ErrIndex        = errors.New("the PIN index is not one of LocalPasskey's")
	ErrKey          = errors.New("the key is not one that a TPM made and keeps, or needs no PIN for this relying party")
	ErrPresenceOnly = errors.New("the key signs without the PIN (it is presence-only)")
	ErrSecret       = errors.New("the challenge was not solved by the TPM that the certificate is for")
	ErrStatement    = errors.New("a statement is not what a TPM says")
	ErrSignature    = errors.New("a statement was not signed by the attestation key")
	ErrNonce        = errors.New("a statement answers another challenge")
	ErrOther        = errors.New("a statement is about something else")
	ErrLimit        = errors.New("the TPM does not stop at 8 wrong PINs")
)

// subject is what a claim is about, once it was checked.
type subject struct {
	endorsement tpm2.TPMTPublic
	chip        Chip
	attestation cose.Key
	key         cose.Key
	index       tpm2.TPM2BName
}

// read checks all of a claim that can be checked without an answer.
func (t Trust) read(c *Claim) (s subject, err error) {
	if err := c.check(); err != nil {
		return s, err
	}
	if s.endorsement, s.chip, err = t.endorsement(c); err != nil {
		return s, err
	}
	if s.attestation, err = storage.Point(c.AttestationKey, attest.Key()); err != nil {
		return s, fmt.Errorf("%w: %w", ErrAttestation, err)
	}
	if s.index, err = indexName(c); err != nil {
		return s, err
	}
	hash := webauthn.RPIDHash(c.RelyingParty)
	for _, algorithm := range []cose.Algorithm{cose.ES384, cose.ES256} {
		if s.key, err = storage.Point(c.Key, storage.SigningKey(pinindex.PINPolicy(s.index, hash[:]), algorithm)); err == nil {
			return s, nil
		}
		if _, presence := storage.Point(c.Key, storage.SigningKey(pinindex.LifePolicy(s.index), algorithm)); presence == nil {
			return s, ErrPresenceOnly
		}
	}
	return s, fmt.Errorf("%w: %w", ErrKey, err)
}

// indexName computes the Name of a PIN index that is ours in every respect: nobody writes
// it by its own or the owner's authorization, it was written once, wrong PINs count, and
// what its policy allows is what K has approved.
func indexName(c *Claim) (tpm2.TPM2BName, error) {
	public, err := tpm2.Unmarshal[tpm2.TPMSNVPublic](c.PINIndex)
	if err != nil {
		return tpm2.TPM2BName{}, fmt.Errorf("%w: %w", ErrIndex, err)
	}
	if len(c.SetUpKey) != policy.NameBytes || !pinindex.Ours(uint32(public.NVIndex)) {
		return tpm2.TPM2BName{}, ErrIndex
	}
	approved := policy.Authorized(tpm2.TPM2BName{Buffer: c.SetUpKey})
	want := tpm2.Marshal(pinindex.Public(public.NVIndex, approved, true))
	if !bytes.Equal(c.PINIndex, want) {
		return tpm2.TPM2BName{}, ErrIndex
	}
	return policy.Name(want), nil
}

// NewChallenge makes a challenge that only the TPM that the claim's certificate is for can
// solve, and only if the claim's attestation key is in it.
func (t Trust) NewChallenge(c *Claim) (*Challenge, *Note, error) {
	s, err := t.read(c)
	if err != nil {
		return nil, nil, err
	}
	to, err := tpm2.ImportEncapsulationKey(&s.endorsement)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	note := &Note{
		Header: Header{formatNote, version}, Made: t.at.UTC().Truncate(time.Second),
		Nonce: make([]byte, nonceBytes), Secret: make([]byte, secretBytes), Claim: c,
	}
	if _, err := rand.Read(note.Nonce); err != nil {
		return nil, nil, err
	}
	if _, err := rand.Read(note.Secret); err != nil {
		return nil, nil, err
	}
	challenge := &Challenge{Header: Header{formatChallenge, version}, CredentialID: c.CredentialID, Nonce: note.Nonce}
	name := policy.Name(c.AttestationKey)
	challenge.CredentialBlob, challenge.EncryptedSecret, err = tpm2.CreateCredential(rand.Reader, to, name.Buffer, note.Secret)
	if err != nil {
		return nil, nil, err
	}
	return challenge, note, nil
}

// Verify tells what the answer to a challenge proves, or why it proves nothing. The claim
// is checked anew, against what is trusted now.
func (t Trust) Verify(n *Note, a *Answer) (*Result, error) {
	if err := errors.Join(n.check(), a.check()); err != nil {
		return nil, err
	}
	s, err := t.read(n.Claim)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(n.Secret, a.Secret) != 1 {
		return nil, ErrSecret
	}
	said, err := s.statement(a.Key, tpm2.TPMSTAttestCertify, n.Nonce)
	if err != nil {
		return nil, err
	}
	certified, err := said.Attested.Certify()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStatement, err)
	}
	if name := policy.Name(n.Claim.Key); !bytes.Equal(certified.Name.Buffer, name.Buffer) {
		return nil, ErrOther
	}
	r := &Result{RelyingParty: n.Claim.RelyingParty, CredentialID: n.Claim.CredentialID, Key: s.key, Chip: s.chip, Made: n.Made}
	if a.Limit != nil {
		if err := s.limit(*a.Limit, n.Nonce); err != nil {
			return nil, err
		}
		r.Attempts = pinindex.Attempts
	}
	return r, nil
}

// limit checks the statement about the PIN index.
func (s *subject) limit(signed Statement, nonce []byte) error {
	said, err := s.statement(signed, tpm2.TPMSTAttestNV, nonce)
	if err != nil {
		return err
	}
	is, err := said.Attested.NV()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStatement, err)
	}
	if !bytes.Equal(is.IndexName.Buffer, s.index.Buffer) {
		return ErrOther
	}
	if is.Offset != pinindex.LimitOffset || !bytes.Equal(is.NVContents.Buffer, pinindex.Limit()) {
		return ErrLimit
	}
	return nil
}

// statement checks who has signed a statement and for whom, and reads it.
func (s *subject) statement(signed Statement, kind tpm2.TPMST, nonce []byte) (*tpm2.TPMSAttest, error) {
	if err := s.signed(signed); err != nil {
		return nil, err
	}
	said, err := exactly[tpm2.TPMSAttest](signed.Attest)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStatement, err)
	}
	if said.Magic != tpm2.TPMGeneratedValue || said.Type != kind {
		return nil, fmt.Errorf("%w: it is of another kind", ErrStatement)
	}
	if !bytes.Equal(said.ExtraData.Buffer, nonce) {
		return nil, ErrNonce
	}
	return said, nil
}

// exactly decodes a structure of the TPM's, and nothing after it.
func exactly[T tpm2.Marshallable, P interface {
	*T
	tpm2.Unmarshallable
}](b []byte) (*T, error) {
	v, err := tpm2.Unmarshal[T, P](b)
	if err == nil && !bytes.Equal(tpm2.Marshal(*v), b) {
		err = errors.New("it is not in its only form")
	}
	return v, err
}

// signed checks the attestation key's signature.
func (s *subject) signed(signed Statement) error {
	signature, err := exactly[tpm2.TPMTSignature](signed.Signature)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if signature.SigAlg != tpm2.TPMAlgECDSA {
		return ErrSignature
	}
	by, err := signature.Signature.ECDSA()
	if err != nil || by.Hash != tpm2.TPMAlgSHA256 {
		return ErrSignature
	}
	public, err := s.attestation.ECDSA()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	digest := sha256.Sum256(signed.Attest)
	r, v := new(big.Int).SetBytes(by.SignatureR.Buffer), new(big.Int).SetBytes(by.SignatureS.Buffer)
	if !ecdsa.Verify(public, digest[:], r, v) {
		return ErrSignature
	}
	return nil
}
