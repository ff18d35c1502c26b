package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/tpm"
)

// srkHandle is the storage key that set-up has made.
const srkHandle tpm2.TPMHandle = 0x81000001

// bare is the TPM without us: a loaded P-256 key with an empty password, on a
// connection that stays open.
type bare struct {
	conn   tpm.Conn
	parent tpm2.AuthHandle
	key    tpm2.AuthHandle
}

func newBare(ctx context.Context, open tpm.Opener) (_ *bare, err error) {
	b := new(bare)
	if b.conn, err = open(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.conn.Close())
		}
	}()
	srk, err := tpm2.ReadPublic{ObjectHandle: srkHandle}.Execute(b.conn)
	if err != nil {
		return nil, fmt.Errorf("ReadPublic: %w", err)
	}
	b.parent = tpm2.AuthHandle{Handle: srkHandle, Name: srk.Name, Auth: tpm2.PasswordAuth(nil)}
	made, err := b.make()
	if err != nil {
		return nil, err
	}
	loaded, err := tpm2.Load{ParentHandle: b.parent, InPrivate: made.OutPrivate, InPublic: made.OutPublic}.Execute(b.conn)
	if err != nil {
		return nil, fmt.Errorf("TPM2_Load: %w", err)
	}
	b.key = tpm2.AuthHandle{Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: tpm2.PasswordAuth(nil)}
	return b, nil
}

// make is TPM2_Create of a key like ours, but for its policy.
func (b *bare) make() (*tpm2.CreateResponse, error) {
	made, err := tpm2.Create{ParentHandle: b.parent, InPublic: tpm2.New2B(tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, SignEncrypt: true,
		},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			Symmetric: tpm2.TPMTSymDefObject{Algorithm: tpm2.TPMAlgNull},
			Scheme: tpm2.TPMTECCScheme{
				Scheme:  tpm2.TPMAlgECDSA,
				Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256}),
			},
			CurveID: tpm2.TPMECCNistP256,
			KDF:     tpm2.TPMTKDFScheme{Scheme: tpm2.TPMAlgNull},
		}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{}),
	})}.Execute(b.conn)
	if err != nil {
		return nil, fmt.Errorf("TPM2_Create: %w", err)
	}
	return made, nil
}

// create times TPM2_Create.
func (b *bare) create() (time.Duration, error) {
	began := time.Now()
	_, err := b.make()
	return time.Since(began), err
}

// sign times TPM2_Sign.
func (b *bare) sign() (time.Duration, error) {
	began := time.Now()
	_, err := tpm2.Sign{
		KeyHandle:  b.key,
		Digest:     tpm2.TPM2BDigest{Buffer: make([]byte, 32)},
		Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull},
	}.Execute(b.conn)
	took := time.Since(began)
	if err != nil {
		return 0, fmt.Errorf("TPM2_Sign: %w", err)
	}
	return took, nil
}
