package tpm

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/pinindex"
	"github.com/localpasskey/localpasskey/internal/tpm/policy"
)

// Ledger keeps the record of what is in the TPM. Load gives nil when there is none;
// what Save was given is durable when it returns nil.
type Ledger interface {
	Load() ([]byte, error)
	Save(record []byte) error
}

// Ours: the record's format.
const (
	ledgerVersion = 1
	boxLabel      = "localpasskey ledger box 1"
)

// record is the ledger's content, canonical CBOR. It is written before the TPM is
// changed in a way that a crash would leave behind.
type record struct {
	Version uint           `cbor:"1,keyasint"`
	SRKName []byte         `cbor:"2,keyasint"`
	Current *currentRecord `cbor:"3,keyasint,omitempty"` // nil while set-up has not finished
	// Doomed are the indices that no generation uses: one about to be defined for
	// a generation that may never be finished, and those of generations that are
	// over. They are undefined at the next opportunity.
	Doomed []pinindex.Doomed `cbor:"4,keyasint,omitempty"`
}

// currentRecord is the generation in force.
type currentRecord struct {
	ID     [16]byte `cbor:"1,keyasint"`
	Handle uint32   `cbor:"2,keyasint"`
	Sealed []byte   `cbor:"3,keyasint"` // the metadata key, wrapped by the TPM
	Box    []byte   `cbor:"4,keyasint"` // boxRecord under the metadata key
}

// boxRecord is what of a generation must not be read on a stolen disk.
type boxRecord struct {
	Salt      [32]byte           `cbor:"1,keyasint"`           // of f(PIN)
	PIN       pinState           `cbor:"2,keyasint"`           // who chose the index's authorization
	Initial   []byte             `cbor:"3,keyasint,omitempty"` // the index's first authorization, until a PIN is set
	Approvals pinindex.Approvals `cbor:"4,keyasint"`
}

// pinState is how far the first PIN has got.
type pinState uint

// Ours. The values are stored.
const (
	pinUnset   pinState = 1 // the authorization is Initial
	pinSetting pinState = 2 // it is Initial or the person's: NV_ChangeAuth was about to run
	pinSet     pinState = 3 // it is the person's
)

func (r *record) encode() ([]byte, error) { return cbor.Marshal(r) }

// decodeRecord checks all that can be checked without the TPM.
func decodeRecord(b []byte) (*record, error) {
	var version struct {
		Version uint `cbor:"1,keyasint"`
	}
	if err := cbor.Unmarshal(b, &version); err != nil {
		return nil, damagedLedger(err)
	}
	if version.Version != ledgerVersion {
		return nil, otherLedger(version.Version)
	}
	r := new(record)
	if err := cbor.Unmarshal(b, r); err != nil {
		return nil, damagedLedger(err)
	}
	if err := r.check(); err != nil {
		return nil, damagedLedger(err)
	}
	return r, nil
}

func (r *record) check() error {
	if len(r.SRKName) == 0 {
		return errors.New("no storage key is named")
	}
	if c := r.Current; c != nil {
		if !pinindex.Ours(c.Handle) {
			return fmt.Errorf("%#x is no NV index of ours", c.Handle)
		}
		if len(c.Sealed) == 0 || len(c.Box) == 0 {
			return errors.New("a generation without its keys")
		}
	}
	for _, d := range r.Doomed {
		if !pinindex.Ours(d.Handle) {
			return fmt.Errorf("%#x is no NV index of ours", d.Handle)
		}
		if r.Current != nil && d.Handle == r.Current.Handle {
			return fmt.Errorf("%#x is both in use and to be removed", d.Handle)
		}
	}
	return nil
}

func (b *boxRecord) check() error {
	switch {
	case b.PIN < pinUnset || b.PIN > pinSet:
		return fmt.Errorf("PIN state %d", b.PIN)
	case (len(b.Initial) == authBytes) == (b.PIN == pinSet):
		return errors.New("the PIN's state and the first authorization do not go together")
	case len(b.Approvals.Authority) != policy.NameBytes:
		return errors.New("the index has no authority")
	}
	return nil
}

// seal encrypts a box for its place in the record: everything that is in plain
// beside it is authenticated with it.
func (c *currentRecord) seal(srkName []byte, key secret.Bytes, box *boxRecord) error {
	plain, err := cbor.Marshal(box)
	if err != nil {
		return err
	}
	defer clear(plain)
	aead, err := boxCipher(key)
	if err != nil {
		return err
	}
	place, err := c.place(srkName)
	if err != nil {
		return err
	}
	c.Box = aead.Seal(nil, nil, plain, place) //nolint:gosec // The AEAD draws its own nonce.
	return nil
}

// open decrypts the box.
func (c *currentRecord) open(srkName []byte, key secret.Bytes) (*boxRecord, error) {
	aead, err := boxCipher(key)
	if err != nil {
		return nil, err
	}
	place, err := c.place(srkName)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, c.Box, place)
	if err != nil {
		return nil, damagedLedger(err)
	}
	defer clear(plain)
	box := new(boxRecord)
	if err := cbor.Unmarshal(plain, box); err != nil {
		return nil, damagedLedger(err)
	}
	if err := box.check(); err != nil {
		return nil, damagedLedger(err)
	}
	return box, nil
}

func (c *currentRecord) place(srkName []byte) ([]byte, error) {
	return cbor.Marshal(record{
		Version: ledgerVersion,
		SRKName: srkName,
		Current: &currentRecord{ID: c.ID, Handle: c.Handle, Sealed: c.Sealed},
	})
}

func boxCipher(metadataKey secret.Bytes) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, metadataKey.Reveal(), nil, boxLabel, sha256.Size)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
