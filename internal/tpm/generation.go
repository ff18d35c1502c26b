package tpm

import (
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/pinindex"
	"github.com/localpasskey/localpasskey/internal/tpm/policy"
	"github.com/localpasskey/localpasskey/internal/tpm/storage"
)

// generation is one PIN index and what belongs to it. It is never changed: a step
// of the PIN's state makes a new value.
type generation struct {
	id       [16]byte
	index    *pinindex.Index
	sealed   storage.Blob // of metadata
	metadata secret.Bytes

	pin     pinState
	initial []byte   // the index's first authorization, nil once a PIN is set
	salt    [32]byte // of f(PIN)
}

// policyOf is what a key's own policy demands.
func (g *generation) policyOf(spec authenticator.KeySpec) policy.Digest {
	if spec.Binding == authenticator.PresenceOnly {
		return g.index.LifePolicy()
	}
	return g.index.PINPolicy(spec.RPIDHash[:])
}

// settled is g with the PIN in another state.
func (g *generation) settled(state pinState) *generation {
	next := *g
	next.pin = state
	if state == pinSet {
		next.initial = nil
	}
	return &next
}

// entry is the generation as the ledger keeps it.
func (g *generation) entry(parent *storage.SRK) (*currentRecord, error) {
	current := &currentRecord{ID: g.id, Handle: uint32(g.index.Handle), Sealed: g.sealed.Encode()}
	box := &boxRecord{Salt: g.salt, PIN: g.pin, Initial: g.initial, Approvals: g.index.Approvals}
	if err := current.seal(parent.Name.Buffer, g.metadata, box); err != nil {
		return nil, err
	}
	return current, nil
}

// takeUp makes a generation of what the ledger says and the TPM unseals.
func takeUp(t transport.TPM, parent *storage.SRK, r *currentRecord) (*generation, error) {
	sealed, err := storage.Decode(r.Sealed)
	if err != nil {
		return nil, damagedLedger(err)
	}
	key, err := parent.Unseal(t, sealed)
	if errors.Is(err, storage.ErrMalformed) {
		return nil, damagedLedger(err)
	}
	if err != nil {
		return nil, fmt.Errorf("the store's key: %w", err)
	}
	if key.Len() != metadataKeyBytes {
		return nil, damagedLedger(fmt.Errorf("a key of %d bytes was sealed", key.Len()))
	}
	box, err := r.open(parent.Name.Buffer, key)
	if err != nil {
		return nil, err
	}
	g := &generation{
		id: r.ID, sealed: sealed, metadata: key,
		index: pinindex.At(tpm2.TPMHandle(r.Handle), box.Approvals),
		pin:   box.PIN, initial: box.Initial, salt: box.Salt,
	}
	return g, g.index.Exists(t)
}
