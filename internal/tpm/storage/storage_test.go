package storage

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/swtpm"
	"github.com/localpasskey/localpasskey/internal/tpm/policy"
)

func TestSealedSecretComesBack(t *testing.T) {
	chip, err := swtpm.Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer chip.Close()
	conn, err := chip.Opener()(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if none, err := Find(conn); none != nil || err != nil {
		t.Fatalf("a new TPM has a storage key: %v, %v", none, err)
	}
	if err = Make(conn); err != nil {
		t.Fatal(err)
	}
	srk, err := Find(conn)
	if err != nil {
		t.Fatal(err)
	}
	if err = srk.Suitable(); err != nil {
		t.Error(err)
	}
	want := secret.Random(32)
	blob, err := srk.Seal(conn, want)
	if err != nil {
		t.Fatal(err)
	}
	blob, err = Decode(blob.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := srk.Unseal(conn, blob); err != nil || !got.Equal(want) {
		t.Errorf("unsealed another secret, or %v", err)
	}
	if bytes.Contains(blob.Encode(), want.Reveal()) {
		t.Error("the blob shows the secret")
	}
	if _, err = srk.Seal(conn, secret.Random(maxSealedBytes+1)); err == nil {
		t.Error("sealed more than fits")
	}
	key, err := srk.Create(conn, SigningKey(policy.Digest{1}, cose.ES256))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = srk.Unseal(conn, key); !errors.Is(err, ErrMalformed) {
		t.Errorf("unsealed a key: %v", err)
	}
	for name, err := range map[string]error{
		"another policy":    second(key.Signing(policy.Digest{2}, cose.ES256)),
		"another algorithm": second(key.Signing(policy.Digest{1}, cose.ES384)),
		"another kind":      key.MAC(policy.Digest{1}),
	} {
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err = key.Signing(policy.Digest{1}, cose.ES256); err != nil {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestStorageKeyMustSuit(t *testing.T) {
	good := tpm2.ECCSRKTemplate
	for name, change := range map[string]func(a *tpm2.TPMAObject){
		"exportable":      func(a *tpm2.TPMAObject) { a.FixedTPM = false },
		"movable":         func(a *tpm2.TPMAObject) { a.FixedParent = false },
		"imported":        func(a *tpm2.TPMAObject) { a.SensitiveDataOrigin = false },
		"a signing key":   func(a *tpm2.TPMAObject) { a.SignEncrypt = true },
		"not restricted":  func(a *tpm2.TPMAObject) { a.Restricted = false },
		"policy of yours": func(a *tpm2.TPMAObject) { a.UserWithAuth = false },
	} {
		bad := good
		change(&bad.ObjectAttributes)
		if err := (&SRK{public: bad}).Suitable(); err == nil {
			t.Errorf("%s: taken for a storage key", name)
		}
	}
	if err := (&SRK{public: good}).Suitable(); err != nil {
		t.Error(err)
	}
}

func FuzzBlob(f *testing.F) {
	for _, template := range []tpm2.TPMTPublic{SigningKey(policy.Digest{}, cose.ES256), SigningKey(policy.Digest{}, cose.ES384), MACKey(policy.Digest{}), sealTemplate()} {
		f.Add(Blob{private: make([]byte, 126), public: tpm2.Marshal(template)}.Encode())
	}
	f.Add([]byte{blobVersion, 0, 1, 2, 0xFF, 0xFF})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, in []byte) {
		b, err := Decode(in)
		if err != nil {
			return
		}
		if !bytes.Equal(b.Encode(), in) {
			t.Errorf("%x came back as %x", in, b.Encode())
		}
		key, err := b.Signing(policy.Digest{}, cose.ES256)
		longer, err384 := b.Signing(policy.Digest{}, cose.ES384)
		switch {
		case err == nil && (len(key.X) != CoordinateBytes || b.MAC(policy.Digest{}) == nil || err384 == nil):
			t.Errorf("%x is of two kinds, or has half a point", in)
		case err384 == nil && (len(longer.X) != 48 || len(longer.Y) != 48):
			t.Errorf("%x has half a point", in)
		}
	})
}
