package tpm

import (
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// srkHandle is where the TCG's provisioning guidance puts the storage root key, and
// where Linux distributions and Windows look for it.
const srkHandle tpm2.TPMHandle = 0x81000001

// metadataKeyBytes is the length of the store's key.
const metadataKeyBytes = 32

// srk is the storage root key: parent of every key, and what sessions are salted
// to. Its public area is as trustworthy as the Name that was pinned at set-up.
type srk struct {
	name   tpm2.TPM2BName
	public tpm2.TPMTPublic
}

// auth is the SRK as the parent in a command. Its authorization is empty.
func (s *srk) auth() tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: srkHandle, Name: s.name, Auth: tpm2.PasswordAuth(nil)}
}

func (s *srk) salt() *wire.Salt {
	return &wire.Salt{Handle: srkHandle, Public: s.public}
}

// readSRK reads the SRK's public area; nil when there is none. The Name is computed
// here, not believed.
func readSRK(t transport.TPM) (*srk, error) {
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
	return &srk{name: *name, public: *public}, nil
}

// makeSRK makes the SRK from the TCG's template. CreatePrimary takes seconds on some
// chips (8.7 s for RSA on a ThinkPad): once at set-up and never again.
func makeSRK(t transport.TPM) error {
	made, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		InPublic:      tpm2.New2B(tpm2.ECCSRKTemplate),
	}.Execute(t)
	if err != nil {
		return ownerRefusal(fmt.Errorf("making the storage key: %w", err))
	}
	_, err = tpm2.EvictControl{
		Auth:             tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		ObjectHandle:     tpm2.NamedHandle{Handle: made.ObjectHandle, Name: made.Name},
		PersistentHandle: srkHandle,
	}.Execute(t)
	if err != nil {
		return ownerRefusal(fmt.Errorf("keeping the storage key: %w", err))
	}
	_, err = tpm2.FlushContext{FlushHandle: made.ObjectHandle}.Execute(t)
	return err
}

// suitable tells whether keys may be put under whatever was found at the SRK's
// place: a storage key that the chip made for itself and never lets go.
func (s *srk) suitable() error {
	a := s.public.ObjectAttributes
	switch {
	case !a.FixedTPM || !a.FixedParent || !a.SensitiveDataOrigin:
		return unsupported("its storage key was not made in it", nil)
	case !a.Restricted || !a.Decrypt || a.SignEncrypt:
		return unsupported("what is at 0x81000001 is not a storage key", nil)
	case !a.UserWithAuth:
		return unsupported("its storage key needs a policy of somebody else's", nil)
	}
	return nil
}

// seal wraps the store's key with the TPM; the key is encrypted on the bus.
func (s *srk) seal(t transport.TPM, key secret.Bytes) (wrapped, error) {
	cover, err := wire.StartHMAC(t, s.salt())
	if err != nil {
		return wrapped{}, err
	}
	defer cover.Wipe()
	cover.EncryptCommand()
	rsp, err := tpm2.Create{
		ParentHandle: s.auth(),
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: key.Reveal()}),
		}},
		InPublic: tpm2.New2B(sealTemplate()),
	}.Execute(t, cover)
	if err != nil {
		return wrapped{}, fmt.Errorf("sealing the store's key: %w", err)
	}
	return wrapped{private: rsp.OutPrivate.Buffer, public: rsp.OutPublic.Bytes()}, nil
}

// unseal gives the store's key back, encrypted on the bus.
func (s *srk) unseal(t transport.TPM, w wrapped) (secret.Bytes, error) {
	if _, err := w.unique(sealTemplate()); err != nil {
		return secret.Bytes{}, damagedLedger(err)
	}
	cover, err := wire.StartHMAC(t, s.salt())
	if err != nil {
		return secret.Bytes{}, err
	}
	defer cover.Wipe()
	cover.EncryptResponse()
	sealed, err := w.load(t, s)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("loading the store's key: %w", err)
	}
	rsp, err := tpm2.Unseal{
		ItemHandle: tpm2.AuthHandle{Handle: sealed.Handle, Name: sealed.Name, Auth: tpm2.PasswordAuth(nil)},
	}.Execute(t, cover)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("unsealing the store's key: %w", err)
	}
	if len(rsp.OutData.Buffer) != metadataKeyBytes {
		return secret.Bytes{}, damagedLedger(fmt.Errorf("a key of %d bytes was sealed", len(rsp.OutData.Buffer)))
	}
	return secret.Of(rsp.OutData.Buffer), nil
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
