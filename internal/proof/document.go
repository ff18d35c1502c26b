package proof

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/tpm/attest"
)

// Ours: what documents are called, and bounds of them.
const (
	formatClaim     = "localpasskey proof claim"
	formatChallenge = "localpasskey proof challenge"
	formatNote      = "localpasskey proof note"
	formatAnswer    = "localpasskey proof answer"

	version = 1

	maxBytes      = 60 << 10 // of a document: it has to pass through the daemon's socket
	maxRPIDBytes  = 253      // of a host name
	maxIDBytes    = 1023     // WebAuthn L3 §6.5.1
	maxFieldBytes = 1 << 10  // of what a TPM puts together
	maxChain      = 16
	secretBytes   = 32
	nonceBytes    = 32
)

// ErrDocument says that a document is not one of ours.
var ErrDocument = errors.New("it is not a document of ours")

// Header begins every document.
type Header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
}

func (h Header) check(format string) error {
	switch {
	case h.Format != format:
		return fmt.Errorf("%w: it is no %q, but says that it is %q", ErrDocument, format, h.Format)
	case h.Version != version:
		return fmt.Errorf("%w: it has version %d, and this program reads version %d only", ErrDocument, h.Version, version)
	}
	return nil
}

// Claim is what a prover says of a passkey. All that matters of it is checked by the
// verifier; nothing of it is secret.
type Claim struct {
	Header

	RelyingParty   string   `json:"relying_party"`
	CredentialID   []byte   `json:"credential_id"`
	Key            []byte   `json:"key"`             // TPMT_PUBLIC
	PINIndex       []byte   `json:"pin_index"`       // TPMS_NV_PUBLIC
	SetUpKey       []byte   `json:"set_up_key"`      // the Name of K
	AttestationKey []byte   `json:"attestation_key"` // TPMT_PUBLIC
	Certificate    []byte   `json:"certificate"`     // of the endorsement key, DER
	Chain          [][]byte `json:"chain"`           // who has signed it, DER
}

// NewClaim makes a claim of what a TPM says about the passkey id of rpID.
func NewClaim(rpID string, id []byte, is *attest.Identity) *Claim {
	return &Claim{
		Header: Header{formatClaim, version}, RelyingParty: rpID, CredentialID: id,
		Key: is.Key, PINIndex: is.Index, SetUpKey: is.Authority,
		AttestationKey: is.AttestationKey, Certificate: is.Certificate, Chain: is.Chain,
	}
}

func (c *Claim) check() error {
	if err := c.Header.check(formatClaim); err != nil {
		return err
	}
	if len(c.RelyingParty) > maxRPIDBytes || !printable(c.RelyingParty) {
		return fmt.Errorf("%w: its relying party is not a name", ErrDocument)
	}
	if len(c.CredentialID) == 0 || len(c.CredentialID) > maxIDBytes || len(c.Chain) > maxChain || c.Chain == nil {
		return fmt.Errorf("%w: its passkey or its certificates are missing or too long", ErrDocument)
	}
	return fields(c.Key, c.PINIndex, c.SetUpKey, c.AttestationKey)
}

// Challenge is what a verifier wants to see. It is for one machine and one passkey.
type Challenge struct {
	Header

	CredentialID    []byte `json:"credential_id"`
	Nonce           []byte `json:"nonce"`
	CredentialBlob  []byte `json:"credential_blob"`  // TPMS_ID_OBJECT
	EncryptedSecret []byte `json:"encrypted_secret"` // a point or an RSA ciphertext
}

func (c *Challenge) check() error {
	if err := c.Header.check(formatChallenge); err != nil {
		return err
	}
	if len(c.CredentialID) == 0 || len(c.CredentialID) > maxIDBytes || len(c.Nonce) != nonceBytes {
		return fmt.Errorf("%w: its passkey or its nonce is missing or too long", ErrDocument)
	}
	return fields(c.CredentialBlob, c.EncryptedSecret)
}

// ForTPM is the challenge in the TPM's words.
func (c *Challenge) ForTPM() attest.Challenge {
	return attest.Challenge{Nonce: c.Nonce, Blob: c.CredentialBlob, Secret: c.EncryptedSecret}
}

// Note is what a verifier keeps until the answer comes. Whoever has it can answer in the
// TPM's place.
type Note struct {
	Header

	Made   time.Time `json:"made"`
	Nonce  []byte    `json:"nonce"`
	Secret []byte    `json:"secret"`
	Claim  *Claim    `json:"claim"`
}

func (n *Note) check() error {
	if err := n.Header.check(formatNote); err != nil {
		return err
	}
	if len(n.Nonce) != nonceBytes || len(n.Secret) != secretBytes || n.Made.IsZero() || n.Claim == nil {
		return fmt.Errorf("%w: something is missing in it", ErrDocument)
	}
	return n.Claim.check()
}

// Answer is what a TPM has said to a challenge.
type Answer struct {
	Header

	Secret []byte     `json:"secret"`
	Key    Statement  `json:"key"`
	Limit  *Statement `json:"limit"` // null where the TPM does not say it
}

// Statement is what a TPM has put together and signed.
type Statement struct {
	Attest    []byte `json:"attest"`    // TPMS_ATTEST
	Signature []byte `json:"signature"` // TPMT_SIGNATURE
}

// NewAnswer makes an answer of what a TPM has said.
func NewAnswer(a *attest.Answer) *Answer {
	answer := &Answer{Header: Header{formatAnswer, version}, Secret: a.Secret, Key: Statement(a.Key)}
	if a.Limit != nil {
		limit := Statement(*a.Limit)
		answer.Limit = &limit
	}
	return answer
}

func (a *Answer) check() error {
	if err := a.Header.check(formatAnswer); err != nil {
		return err
	}
	if err := fields(a.Secret, a.Key.Attest, a.Key.Signature); err != nil || a.Limit == nil {
		return err
	}
	return fields(a.Limit.Attest, a.Limit.Signature)
}

func fields(all ...[]byte) error {
	for _, field := range all {
		if len(field) == 0 || len(field) > maxFieldBytes {
			return fmt.Errorf("%w: something in it is missing or too long", ErrDocument)
		}
	}
	return nil
}

// printable tells whether a name has nothing in it but what host names are made of.
func printable(name string) bool {
	for i := range len(name) {
		if name[i] <= ' ' || name[i] > '~' {
			return false
		}
	}
	return name != ""
}

// Document is a *Claim, a *Challenge, a *Note or an *Answer.
type Document interface{ check() error }

// document is a Document whose decoder needs its type.
type document[T any] interface {
	*T
	Document
}

// Encode writes a document as JSON that a person can look at. What could not be read
// again is ErrDocument.
func Encode(doc Document) ([]byte, error) {
	if err := doc.check(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(doc); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Decode reads a document. Errors of what was
// read are ErrDocument.
func Decode[T any, D document[T]](r io.Reader) (*T, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxBytes {
		return nil, fmt.Errorf("%w: it is too large", ErrDocument)
	}
	doc := new(T)
	if err := json.Unmarshal(b, doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	again, err := Encode(D(doc))
	if err != nil {
		return nil, err
	}
	var read, wrote bytes.Buffer
	if err := errors.Join(json.Compact(&read, b), json.Compact(&wrote, again)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	if !bytes.Equal(read.Bytes(), wrote.Bytes()) {
		return nil, fmt.Errorf("%w: it has fields that are unknown, twice there, missing or in another order", ErrDocument)
	}
	return doc, nil
}

// Result is what a proof has shown.
type Result struct {
	RelyingParty string
	CredentialID []byte
	Key          cose.Key
	Chip         Chip
	// Attempts is how many wrong PINs the TPM allows, 0 where it was not shown.
	Attempts int
	Made     time.Time // when the challenge was
}
