package keychain

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/macos/gesture"
)

// Security is what the keychain's keys need of the Security framework. Errors are
// *macos.Error.
type Security interface {
	// CreateKey is SecKeyCreateRandomKey.
	CreateKey(a enclave.Attributes) (enclave.SecKey, error)
	// FindKey is SecItemCopyMatching for one key.
	FindKey(query enclave.Attributes) (enclave.SecKey, error)
}

// Items are the keychain's items. Errors are *macos.Error.
type Items interface {
	// Add is SecItemAdd.
	Add(a enclave.Attributes) error
	// Find is SecItemCopyMatching for the attributes of items, which are data or text.
	Find(query enclave.Attributes) ([]Item, error)
	// Update is SecItemUpdate.
	Update(query, change enclave.Attributes) error
	// Delete is SecItemDelete.
	Delete(query enclave.Attributes) error
}

// Item is what was found of an item.
type Item map[enclave.Symbol][]byte

// Sheets makes what the system asks with.
type Sheets interface {
	// Sheet gives an LAContext that will say reason when a key asks for the finger.
	// The gesture that it becomes must be ended.
	Sheet(reason string) *gesture.Gesture
}

// Keychain is the group's part of a person's keychain.
type Keychain struct {
	Security Security
	Items    Items
	Sheets   Sheets
	// Group is the access group.
	Group string
	// Protection is what keys made from now on demand.
	Protection enclave.Protection
	// LockFile is a file that all processes of the group can open.
	LockFile string
}

// Create makes a key. One that is not what was asked for is deleted again.
func (k Keychain) Create(ctx context.Context, id []byte) (cose.Key, error) {
	if err := ctx.Err(); err != nil {
		return cose.Key{}, err
	}
	made, err := k.Security.CreateKey(k.createKey(id))
	if err != nil {
		return cose.Key{}, gesture.Explain(err)
	}
	defer made.Release()
	public, err := publicOf(made)
	if err != nil {
		return cose.Key{}, errors.Join(err, k.Delete(context.WithoutCancel(ctx), id))
	}
	return public, nil
}

// publicOf reads a public key.
func publicOf(key enclave.SecKey) (cose.Key, error) {
	point, err := key.Public()
	if err != nil {
		return cose.Key{}, gesture.Explain(err)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return cose.Key{}, err
	}
	return cose.FromECDSA(public)
}

// Sign asks for the finger and signs.
func (k Keychain) Sign(ctx context.Context, id []byte, public cose.Key, digest [32]byte, reason string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sheet := k.Sheets.Sheet(reason)
	defer sheet.End()
	stop := context.AfterFunc(ctx, sheet.End) // takes the sheet away
	defer stop()
	key, err := k.Security.FindKey(append(k.key(id), enclave.Attribute{Name: "kSecUseAuthenticationContext", Value: sheet.Context()}))
	if err != nil {
		return nil, gesture.Explain(err)
	}
	defer key.Release()
	is, err := publicOf(key)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(is.X, public.X) || !bytes.Equal(is.Y, public.Y) {
		return nil, fmt.Errorf("the keychain has another key: %w", ctap.InvalidCredential)
	}
	signature, err := key.Use(enclave.SignDigest, digest[:])
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return signature, gesture.Explain(err)
}

// Delete deletes a key.
func (k Keychain) Delete(_ context.Context, id []byte) error {
	return absent(k.Items.Delete(k.key(id)))
}

// absent takes it for no error that there is nothing.
func absent(err error) error {
	if isNotFound(err) {
		return nil
	}
	return gesture.Explain(err)
}

func isNotFound(err error) bool {
	return errors.Is(err, &macos.Error{Domain: macos.DomainOSStatus, Code: macos.ErrSecItemNotFound})
}

// IDs gives the credential ids of all keys.
func (k Keychain) IDs(context.Context) ([][]byte, error) {
	found, err := k.Items.Find(append(k.keys(), all()...))
	if err := absent(err); err != nil {
		return nil, err
	}
	var ids [][]byte
	for _, item := range found {
		if id := item["kSecAttrApplicationTag"]; len(id) > 0 {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// all asks for the attributes of every item there is.
func all() enclave.Attributes {
	return enclave.Attributes{
		{Name: "kSecReturnAttributes", Value: true},
		{Name: "kSecMatchLimit", Value: enclave.Symbol("kSecMatchLimitAll")},
	}
}

// Entries are the entries of a Keychain.
type Entries struct{ Keychain }

// All reads every entry: their names first and then each, because macOS does not
// give the content of several at once. One that is deleted meanwhile is left out.
func (e Entries) All(ctx context.Context) (map[string][]byte, error) {
	names, err := e.Items.Find(append(e.entries(), all()...))
	if err := absent(err); err != nil {
		return nil, err
	}
	values := map[string][]byte{}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		id, err := base64.StdEncoding.DecodeString(string(name["kSecAttrAccount"]))
		if err != nil || len(id) == 0 {
			continue // not ours
		}
		found, err := e.Items.Find(append(e.entry(id),
			enclave.Attribute{Name: "kSecReturnAttributes", Value: true}, enclave.Attribute{Name: "kSecReturnData", Value: true}))
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return nil, gesture.Explain(err)
		}
		for _, item := range found {
			values[string(id)] = item["kSecValueData"]
		}
	}
	return values, nil
}

// Put writes an entry, in one step.
func (e Entries) Put(_ context.Context, id, value []byte) error {
	err := e.Items.Update(e.entry(id), enclave.Attributes{{Name: "kSecValueData", Value: value}})
	if isNotFound(err) {
		err = e.Items.Add(e.newEntry(id, value))
	}
	return gesture.Explain(err)
}

// Delete deletes an entry.
func (e Entries) Delete(_ context.Context, id []byte) error {
	return absent(e.Items.Delete(e.entry(id)))
}
