package storage

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/problem"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// srkHandle is where the TCG's provisioning guidance puts the storage root key, and
// where Linux distributions and Windows look for it.
const srkHandle tpm2.TPMHandle = 0x81000001

// maxSealedBytes is the most that every TPM seals (Part 2 §11.1.14).
const maxSealedBytes = 128

// ErrMalformed says that a blob is damaged, or not the one that was asked for.
var ErrMalformed = errors.New("a key blob is not what it should be")

// SRK is the storage root key: parent of every key, and what sessions are salted
// to. Its public area is as trustworthy as the Name that was pinned at set-up.
type SRK struct {
	Name    tpm2.TPM2BName
	public  tpm2.TPMTPublic
	oneStep bool // its chip has TPM2_CreateLoaded
	es384   bool // and ECDSA on P-384 with SHA-384
}

// auth is the SRK as the parent in a command. Its authorization is empty.
func (s *SRK) auth() tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: srkHandle, Name: s.Name, Auth: tpm2.PasswordAuth(nil)}
}

// Salt is what sessions are salted to.
func (s *SRK) Salt() *wire.Salt {
	return &wire.Salt{Handle: srkHandle, Public: s.public}
}

// Find reads the SRK's public area, and what its chip can do with it; nil when there
// is none. The Name is computed here, not believed.
func Find(t transport.TPM) (*SRK, error) {
	rsp, err := tpm2.ReadPublic{ObjectHandle: srkHandle}.Execute(t)
	if errors.Is(err, tpm2.TPMRCHandle) {
		return nil, nil //nolint:nilnil // None is an answer.
	}
	if err != nil {
		return nil, fmt.Errorf("reading the storage key: %w", err)
	}
	public, err := rsp.OutPublic.Contents()
	if err != nil {
		return nil, fmt.Errorf("reading the storage key: %w", err)
	}
	name, err := tpm2.ObjectName(public)
	if err != nil {
		return nil, fmt.Errorf("reading the storage key: %w", err)
	}
	oneStep, err := hasCommand(t, tpm2.TPMCCCreateLoaded)
	if err != nil {
		return nil, err
	}
	es384, err := takes(t, signing(cose.ES384))
	if err != nil {
		return nil, err
	}
	return &SRK{Name: *name, public: *public, oneStep: oneStep, es384: es384}, nil
}

// takes asks the chip whether keys of such parameters can be made. However it refuses them
// is a no, but for a warning, which says to ask again, and failure mode, in which it does
// nothing at all: nothing else hangs on this answer.
func takes(t transport.TPM, parameters tpm2.TPMUPublicParms) (bool, error) {
	_, err := tpm2.TestParms{Parameters: tpm2.TPMTPublicParms{Type: tpm2.TPMAlgECC, Parameters: parameters}}.Execute(t)
	if refused, ok := errors.AsType[tpm2.TPMRC](err); ok && !refused.IsWarning() && refused != tpm2.TPMRCFailure {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("trying the parameters of a key: %w", err)
	}
	return true, nil
}

// SignsES384 tells whether the chip has P-384 and SHA-384; many have not.
func (s *SRK) SignsES384() bool { return s.es384 }

// hasCommand asks the chip whether it has a command.
func hasCommand(t transport.TPM, cc tpm2.TPMCC) (bool, error) {
	rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapCommands, Property: uint32(cc), PropertyCount: 1}.Execute(t)
	if err != nil {
		return false, fmt.Errorf("listing the commands: %w", err)
	}
	list, err := rsp.CapabilityData.Data.Command()
	if err != nil {
		return false, fmt.Errorf("listing the commands: %w", err)
	}
	// Where it has not, the list begins with the next one that it has.
	return slices.ContainsFunc(list.CommandAttributes, func(a tpm2.TPMACC) bool {
		return tpm2.TPMCC(a.CommandIndex) == cc && !a.V
	}), nil
}

// Make makes the SRK from the TCG's template. CreatePrimary takes seconds on some
// chips (8.7 s for RSA on a ThinkPad): once at set-up and never again.
func Make(t transport.TPM) error { return keep(t, nil) }

// Restore puts the SRK of that Name back to its place, when that is empty and this TPM makes
// the same one. Another program can remove it, and no key is lost by that.
func Restore(t transport.TPM, name tpm2.TPM2BName) error {
	_, err := tpm2.ReadPublic{ObjectHandle: srkHandle}.Execute(t)
	if errors.Is(err, tpm2.TPMRCHandle) {
		return keep(t, &name)
	}
	return err
}

// keep makes the SRK and keeps it at its place; with a Name, only if it has that.
func keep(t transport.TPM, only *tpm2.TPM2BName) error {
	made, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		InPublic:      tpm2.New2B(tpm2.ECCSRKTemplate),
	}.Execute(t)
	if err != nil {
		return problem.OwnerRefusal(fmt.Errorf("making the storage key: %w", err))
	}
	if only != nil && !bytes.Equal(made.Name.Buffer, only.Buffer) {
		_, err = tpm2.FlushContext{FlushHandle: made.ObjectHandle}.Execute(t)
		return err
	}
	_, err = tpm2.EvictControl{
		Auth:             tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		ObjectHandle:     tpm2.NamedHandle{Handle: made.ObjectHandle, Name: made.Name},
		PersistentHandle: srkHandle,
	}.Execute(t)
	if err != nil && !errors.Is(err, tpm2.TPMRCNVDefined) { // another program has just kept the same one
		return problem.OwnerRefusal(fmt.Errorf("keeping the storage key: %w", err))
	}
	_, err = tpm2.FlushContext{FlushHandle: made.ObjectHandle}.Execute(t)
	return err
}

// Suitable tells whether keys may be put under whatever was found at the SRK's
// place: a storage key that the chip made for itself and never lets go.
func (s *SRK) Suitable() error {
	a := s.public.ObjectAttributes
	switch {
	case !a.FixedTPM || !a.FixedParent || !a.SensitiveDataOrigin:
		return problem.Unsupported("its storage key was not made in it", nil)
	case !a.Restricted || !a.Decrypt || a.SignEncrypt:
		return problem.Unsupported("what is at 0x81000001 is not a storage key", nil)
	case !a.UserWithAuth:
		return problem.Unsupported("its storage key needs a policy of somebody else's", nil)
	}
	return nil
}

// Create makes a key of the given public area in the TPM: one command.
func (s *SRK) Create(t transport.TPM, public tpm2.TPMTPublic) (Blob, error) {
	rsp, err := tpm2.Create{ParentHandle: s.auth(), InPublic: tpm2.New2B(public)}.Execute(t)
	if err != nil {
		return Blob{}, fmt.Errorf("Create: %w", err)
	}
	return Blob{private: rsp.OutPrivate.Buffer, public: rsp.OutPublic.Bytes()}, nil
}

// CreatesLoaded tells whether the chip has CreateLoaded; some Intel PTT have not.
func (s *SRK) CreatesLoaded() bool { return s.oneStep }

// CreateLoaded is Create and Load in one command. That the Name is the one that the
// public area has is compared, as in Load.
func (s *SRK) CreateLoaded(t transport.TPM, public tpm2.TPMTPublic) (Blob, tpm2.NamedHandle, error) {
	rsp, err := tpm2.CreateLoaded{ParentHandle: s.auth(), InPublic: tpm2.New2BTemplate(&public)}.Execute(t)
	if err != nil {
		return Blob{}, tpm2.NamedHandle{}, fmt.Errorf("CreateLoaded: %w", err)
	}
	b := Blob{private: rsp.OutPrivate.Buffer, public: rsp.OutPublic.Bytes()}
	key, err := b.named(rsp.ObjectHandle, rsp.Name)
	return b, key, err
}

// Seal wraps a secret, at most 128 bytes. It is encrypted on the bus.
func (s *SRK) Seal(t transport.TPM, content secret.Bytes) (Blob, error) {
	if content.Len() > maxSealedBytes {
		return Blob{}, fmt.Errorf("sealing %d bytes", content.Len())
	}
	cover, err := wire.StartHMAC(t, s.Salt())
	if err != nil {
		return Blob{}, err
	}
	defer cover.Wipe()
	cover.EncryptCommand()
	rsp, err := tpm2.Create{
		ParentHandle: s.auth(),
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: content.Reveal()}),
		}},
		InPublic: tpm2.New2B(sealTemplate()),
	}.Execute(t, cover)
	if err != nil {
		return Blob{}, fmt.Errorf("sealing: %w", err)
	}
	return Blob{private: rsp.OutPrivate.Buffer, public: rsp.OutPublic.Bytes()}, nil
}

// Unseal gives a sealed secret back, encrypted on the bus. ErrMalformed says that b
// was not made by Seal; TPM_RC_INTEGRITY that it was made by another TPM.
func (s *SRK) Unseal(t transport.TPM, b Blob) (secret.Bytes, error) {
	unique, err := b.unique(sealTemplate())
	if err != nil {
		return secret.Bytes{}, err
	}
	if err := checkDigest(unique); err != nil {
		return secret.Bytes{}, err
	}
	cover, err := wire.StartHMAC(t, s.Salt())
	if err != nil {
		return secret.Bytes{}, err
	}
	defer cover.Wipe()
	cover.EncryptResponse()
	sealed, err := b.Load(t, s)
	if malformed(err) {
		return secret.Bytes{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err != nil {
		return secret.Bytes{}, err
	}
	rsp, err := tpm2.Unseal{
		ItemHandle: tpm2.AuthHandle{Handle: sealed.Handle, Name: sealed.Name, Auth: tpm2.PasswordAuth(nil)},
	}.Execute(t, cover)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("Unseal: %w", err)
	}
	return secret.Of(rsp.OutData.Buffer), nil
}

// malformed tells whether a blob was refused for its form, not for its wrapping.
func malformed(err error) bool {
	return parameterRefused(err) && !errors.Is(err, tpm2.TPMRCIntegrity)
}

// parameterRefused tells whether the chip blames a parameter.
func parameterRefused(err error) bool {
	var refusal tpm2.TPMFmt1Error
	if !errors.As(err, &refusal) {
		return false
	}
	parameter, _ := refusal.Parameter()
	return parameter
}
