package authenticator

import (
	"context"
	"errors"

	"github.com/localpasskey/localpasskey/internal/consent"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// ready is what was readied while the person was being asked: a consent.Use.
type ready struct {
	pin      PIN
	spec     KeySpec
	prepared Prepared // nil where nothing needs to be signed
	count    uint32   // the sign count to state
}

// Verify checks the PIN in the hardware: inside the use of a key that is bound
// to it, and on its own otherwise.
func (r *ready) Verify(ctx context.Context, pinHash secret.Bytes) (Grant, error) {
	if r.prepared != nil && r.spec.Binding == PINBound {
		return r.prepared.Verify(ctx, pinHash)
	}
	return r.pin.Verify(ctx, pinHash, &r.spec.RPIDHash)
}

// Close frees what the hardware holds for it.
func (r *ready) Close() error {
	if r == nil || r.prepared == nil {
		return nil
	}
	return r.prepared.Close()
}

// prepareKey readies a key under what verification there is already.
func (a *Authenticator) prepareKey(ctx context.Context, key *Key, z *consent.Authorization) (*ready, error) {
	return a.under(ctx, z, key.KeySpec, func(grant Grant) (Prepared, error) {
		return a.keys.Prepare(ctx, key, grant)
	})
}

// prepareNewKey makes c's key as it readies it.
func (a *Authenticator) prepareNewKey(ctx context.Context, c *Credential, z *consent.Authorization) (*ready, error) {
	return a.under(ctx, z, c.Key.KeySpec, func(grant Grant) (Prepared, error) {
		key, prepared, err := a.keys.CreatePrepared(ctx, c.Key.KeySpec, grant)
		if err != nil {
			return nil, err
		}
		c.Key = *key
		return prepared, nil
	})
}

// under has prepare ready a key under z. A PIN held for a token that named no RP is
// turned into a grant here; with built-in verification the PIN comes later.
func (a *Authenticator) under(ctx context.Context, z *consent.Authorization, spec KeySpec, prepare func(Grant) (Prepared, error)) (*ready, error) {
	grant := z.Grant()
	if spec.Binding == PresenceOnly {
		grant = nil
	}
	prepared, err := prepare(grant)
	if err != nil {
		return nil, err
	}
	r := &ready{pin: a.pin, spec: spec, prepared: prepared}
	if !z.NeedsExchange() {
		if spec.Binding == PINBound && grant == nil && !z.BuiltIn() {
			return nil, errors.Join(ctap.PUATRequired, r.Close())
		}
		return r, nil
	}
	err = a.gate.Exchange(z, func(hash secret.Bytes) (Grant, error) { return r.Verify(ctx, hash) })
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}
