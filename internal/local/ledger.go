package local

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/store"
)

// Ours: the input and the owner of the store's key, fixed for good.
const (
	storeKeyInput = "LocalPasskey store key v1"
	storeKeyOwner = "the store of LocalPasskey"
)

// record is what is kept of a generation: the handle of the key that makes the
// store's key.
type record struct {
	Generation []byte `cbor:"1,keyasint"`
	Handle     []byte `cbor:"2,keyasint"`
	Protection uint   `cbor:"3,keyasint"` // what the keys of passkeys demand
}

// ledger is the store's key, and how to make it.
type ledger struct {
	security   enclave.Security
	file       store.Ledger
	protection enclave.Protection
	generation [16]byte
	key        secret.Bytes
}

// keys make the keys of passkeys.
func (l *ledger) keys() enclave.Keys {
	return enclave.Keys{Security: l.security, Protection: l.protection}
}

// demands tells whether p is a protection.
func demands(p enclave.Protection) bool {
	return p == enclave.BiometryAny || p == enclave.BiometryCurrentSet || p == enclave.UserPresence
}

// spec: no finger, or the list could not be shown without one. The secrets that sites
// are asked for are behind keys of their own.
func spec() authenticator.KeySpec {
	return authenticator.KeySpec{Kind: authenticator.MACKey, Binding: authenticator.PresenceOnly, RPIDHash: sha256.Sum256([]byte(storeKeyOwner))}
}

// load reads the record and makes the key. A new store gets a key, whose passkeys are to
// demand fresh; so does one whose set-up was cut short, with nothing in it, by the rule.
func (l *ledger) load(ctx context.Context, fresh enclave.Protection) error {
	content, err := l.file.Load()
	if err != nil {
		return err
	}
	switch {
	case fresh != 0:
		return l.renew(ctx, fresh)
	case content == nil:
		return l.renew(ctx, enclave.BiometryAny)
	}
	var r record
	if err := cbor.Unmarshal(content, &r); err != nil || len(r.Generation) != len(l.generation) || !demands(enclave.Protection(r.Protection)) {
		return damaged(errors.Join(err, errors.New("the record of the store's key cannot be read")))
	}
	l.generation, l.protection = [16]byte(r.Generation), enclave.Protection(r.Protection)
	l.key, err = l.derive(ctx, &authenticator.Key{KeySpec: spec(), Handle: r.Handle})
	if err != nil {
		return foreign(err)
	}
	return nil
}

// renew makes and records another key.
func (l *ledger) renew(ctx context.Context, p enclave.Protection) error {
	if !demands(p) {
		return fmt.Errorf("protection %d: %w", p, ctap.InvalidParameter)
	}
	made, err := l.keys().Create(ctx, spec())
	if err != nil {
		return err
	}
	key, err := l.derive(ctx, made)
	if err != nil {
		return err
	}
	generation := [16]byte(secret.Random(16).Reveal())
	content, err := cbor.Marshal(record{Generation: generation[:], Handle: made.Handle, Protection: uint(p)})
	if err != nil {
		return err
	}
	if err := l.file.Save(content); err != nil {
		return err
	}
	l.key.Wipe()
	l.key, l.generation, l.protection = key, generation, p
	return nil
}

// derive makes the store's key in the Secure Enclave.
func (l *ledger) derive(ctx context.Context, key *authenticator.Key) (secret.Bytes, error) {
	p, err := l.keys().Prepare(ctx, key, nil)
	if err != nil {
		return secret.Bytes{}, err
	}
	out, err := p.MAC(ctx, []byte(storeKeyInput))
	return out, errors.Join(err, p.Close())
}

func damaged(cause error) error {
	return &ctap.Problem{Status: ctap.IntegrityFailure, What: "the store is damaged", Hint: "put back a copy of it, or delete it and begin anew", Cause: cause}
}

// foreign: a key of another Mac's Secure Enclave, or of one that was erased, does not
// open.
func foreign(cause error) error {
	if _, ok := errors.AsType[*ctap.Problem](cause); ok && errors.Is(cause, ctap.UPRequired) {
		return cause // the Mac is locked
	}
	return &ctap.Problem{
		Status: ctap.IntegrityFailure, What: "this Mac's Secure Enclave cannot open the store",
		Hint:  "it is another Mac's, or this one was erased since: delete it and begin anew; its passkeys are lost",
		Cause: fmt.Errorf("the store's key: %w", cause),
	}
}
