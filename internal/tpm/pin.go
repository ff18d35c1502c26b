package tpm

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/held"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// Ours: what becomes of a PIN's hash.
const (
	authBytes = sha256.Size // the most that an index named by SHA-256 takes
	pinLabel  = "localpasskey PIN 1"
)

// pinHashBytes is the length of a PIN's hash (CTAP 2.3 §6.5.5.5).
const pinHashBytes = 16

// IsSet tells whether a person has chosen a PIN in this generation. While a first
// PIN that a crash interrupted has not been settled it says yes, the safer of the
// two; the next use of the PIN settles it.
func (m *Machine) IsSet() bool { return m.generation().pin != pinUnset }

// Retries is how many attempts are left, from the TPM's own counter.
func (m *Machine) Retries(ctx context.Context) (left int, err error) {
	g := m.generation()
	err = m.converse(ctx, func(t transport.TPM) error {
		left, err = g.index.Retries(t)
		return err
	})
	return left, err
}

// Hold has a PIN that the TPM has taken be held for fingers; see package held. It comes
// before the first use.
func (m *Machine) Hold(p *held.PIN) { m.held = p }

// Verify has the TPM check the PIN, or where pinHash is zero the one that is held. With
// rpIDHash it gives a grant for that relying party, without one a nil Grant. A wrong PIN is
// an *authenticator.WrongPIN.
func (m *Machine) Verify(ctx context.Context, pinHash secret.Bytes, rpIDHash *[32]byte) (authenticator.Grant, error) {
	g, err := m.withPIN(ctx)
	if err != nil {
		return nil, err
	}
	auth, err := m.shown(g, pinHash)
	if err != nil {
		return nil, err
	}
	defer clear(auth)
	if rpIDHash == nil {
		_, err := m.verify(ctx, g, bytes.Clone(auth), nil, 0)
		m.learn(g, pinHash, auth, err)
		return nil, err
	}
	ticket, err := m.verify(ctx, g, bytes.Clone(auth), rpIDHash[:], authenticator.GrantLifetime)
	m.learn(g, pinHash, auth, err)
	if err != nil {
		return nil, err
	}
	return &grant{generation: g.id, rpIDHash: *rpIDHash, ticket: ticket}, nil
}

// shown is what the TPM is shown of a PIN's hash, or of the PIN that is held where there
// is none. The caller wipes it.
func (m *Machine) shown(g *generation, pinHash secret.Bytes) ([]byte, error) {
	if !pinHash.IsZero() {
		return g.authOf(pinHash)
	}
	auth, err := m.held.Show(g.id)
	if err != nil {
		return nil, errors.Join(ctap.PINAuthInvalid, err)
	}
	return auth, nil
}

// learn keeps what was typed and the TPM has taken, and drops what is held after a PIN
// that is wrong.
func (m *Machine) learn(g *generation, pinHash secret.Bytes, auth []byte, err error) {
	_, wrong := errors.AsType[*authenticator.WrongPIN](err)
	switch {
	case wrong:
		m.held.Drop()
	case err == nil && !pinHash.IsZero():
		m.held.Keep(g.id, auth)
	}
}

// Change replaces the PIN; from is the zero Bytes for the first one. When it
// returns nil the old PIN is dead and the new one durable.
func (m *Machine) Change(ctx context.Context, from, to secret.Bytes) error {
	m.tidy(ctx)
	m.changing.Lock()
	defer m.changing.Unlock()
	defer m.held.Drop()
	g, err := m.settle(ctx)
	if err != nil {
		return err
	}
	first := g.pin == pinUnset
	switch {
	case first && !from.IsZero():
		return ctap.PINNotSet
	case !first && from.IsZero():
		return ctap.PINAuthInvalid // CTAP 2.3 §6.5.5.5: setPIN when there is one.
	}
	next, err := g.authOf(to)
	if err != nil {
		return err
	}
	defer clear(next)
	old := bytes.Clone(g.initial)
	if !first {
		if old, err = g.authOf(from); err != nil {
			return err
		}
	}
	defer clear(old)
	if first {
		if err := m.commit(g.settled(pinSetting), m.doomed); err != nil {
			return err
		}
	}
	err = m.converse(ctx, func(t transport.TPM) error { return g.index.Change(t, m.srk.Salt(), old, next) })
	switch {
	case !first:
		return err
	case err != nil:
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyUp)
		defer cancel()
		_, unsettled := m.settle(ctx)
		return errors.Join(err, unsettled)
	}
	return m.commit(g.settled(pinSet), m.doomed)
}

// withPIN gives the generation once its PIN's state is known, if there is a PIN.
func (m *Machine) withPIN(ctx context.Context) (*generation, error) {
	m.tidy(ctx)
	g := m.generation()
	if g.pin == pinSetting {
		m.changing.Lock()
		defer m.changing.Unlock()
		var err error
		if g, err = m.settle(ctx); err != nil {
			return nil, err
		}
	}
	if g.pin == pinUnset {
		return nil, ctap.PINNotSet
	}
	return g, nil
}

// settle finds out on which side of NV_ChangeAuth a first PIN was interrupted: by
// trying the authorization before it, which costs one attempt at most, and none
// that the next right PIN does not give back. The caller holds changing.
func (m *Machine) settle(ctx context.Context) (*generation, error) {
	g := m.generation()
	if g.pin != pinSetting {
		return g, nil
	}
	// If the answer cannot be kept, the next call would ask again, and the eighth
	// would lock the PIN: so first see whether the ledger can be written at all.
	if err := m.commit(g, m.doomed); err != nil {
		return nil, err
	}
	state := pinUnset
	err := m.try(ctx, g, bytes.Clone(g.initial))
	var refused *authenticator.WrongPIN
	switch {
	case errors.As(err, &refused):
		state = pinSet
	case err != nil:
		return nil, err
	}
	next := g.settled(state)
	return next, m.commit(next, m.doomed)
}

// authOf is f(PIN), the index's authorization: 32 bytes, none of them zero, because
// TPMs and libraries disagree about zeros in an authorization. The caller wipes it.
func (g *generation) authOf(pinHash secret.Bytes) ([]byte, error) {
	if pinHash.Len() != pinHashBytes {
		return nil, ctap.InvalidParameter
	}
	auth, err := hkdf.Key(sha256.New, pinHash.Reveal(), g.salt[:], pinLabel, authBytes)
	if err != nil {
		return nil, err
	}
	return withoutZeros(auth), nil
}

func randomAuth() []byte { return withoutZeros(secret.Random(authBytes).Reveal()) }

func withoutZeros(auth []byte) []byte {
	for i, b := range auth {
		if b == 0 {
			auth[i] = 1
		}
	}
	return auth
}

// try shows an authorization to the TPM and leaves it at that. It wipes auth.
func (m *Machine) try(ctx context.Context, g *generation, auth []byte) error {
	_, err := m.verify(ctx, g, auth, nil, 0)
	return err
}

// verify shows an authorization on a connection of its own, and wipes it.
func (m *Machine) verify(ctx context.Context, g *generation, auth, ref []byte, lifetime time.Duration) (ticket *wire.Ticket, err error) {
	defer clear(auth)
	err = m.converse(ctx, func(t transport.TPM) error {
		s, err := wire.StartPolicy(t, nil)
		if err != nil {
			return err
		}
		cover, err := wire.StartHMAC(t, m.srk.Salt())
		if err != nil {
			return err
		}
		defer cover.Wipe()
		cover.SetAuth(auth)
		ticket, err = g.index.Show(t, s, cover, ref, lifetime)
		return err
	})
	return ticket, err
}
