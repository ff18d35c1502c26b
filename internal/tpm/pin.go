package tpm

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
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
func (m *Machine) IsSet() bool { return m.generation().box.PIN != pinUnset }

// Retries is how many attempts are left, from the TPM's own counter.
func (m *Machine) Retries(ctx context.Context) (left int, err error) {
	g := m.generation()
	err = m.converse(ctx, func(t transport.TPM) error {
		left, err = g.retries(t)
		return err
	})
	return left, err
}

// Verify has the TPM check the PIN. With rpIDHash it gives a grant for that relying
// party, without one a nil Grant. A wrong PIN is an *authenticator.WrongPIN.
func (m *Machine) Verify(ctx context.Context, pinHash secret.Bytes, rpIDHash *[32]byte) (authenticator.Grant, error) {
	g, err := m.withPIN(ctx)
	if err != nil {
		return nil, err
	}
	auth, err := g.authOf(pinHash)
	if err != nil {
		return nil, err
	}
	if rpIDHash == nil {
		return nil, m.try(ctx, g, auth)
	}
	ticket, err := m.verify(ctx, g, auth, rpIDHash[:], authenticator.GrantLifetime)
	if err != nil {
		return nil, err
	}
	return &grant{generation: g.id, rpIDHash: *rpIDHash, ticket: ticket}, nil
}

// Change replaces the PIN; from is the zero Bytes for the first one. When it
// returns nil the old PIN is dead and the new one durable.
func (m *Machine) Change(ctx context.Context, from, to secret.Bytes) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	g, err := m.settle(ctx)
	if err != nil {
		return err
	}
	first := g.box.PIN == pinUnset
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
	old := bytes.Clone(g.box.Initial)
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
	err = m.converse(ctx, func(t transport.TPM) error { return g.change(t, m.srk, old, next) })
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
	g := m.generation()
	if g.box.PIN == pinSetting {
		m.changing.Lock()
		defer m.changing.Unlock()
		var err error
		if g, err = m.settle(ctx); err != nil {
			return nil, err
		}
	}
	if g.box.PIN == pinUnset {
		return nil, ctap.PINNotSet
	}
	return g, nil
}

// settle finds out on which side of NV_ChangeAuth a first PIN was interrupted: by
// trying the authorization before it, which costs one attempt at most, and none
// that the next right PIN does not give back. The caller holds changing.
func (m *Machine) settle(ctx context.Context) (*generation, error) {
	g := m.generation()
	if g.box.PIN != pinSetting {
		return g, nil
	}
	state := pinUnset
	err := m.try(ctx, g, bytes.Clone(g.box.Initial))
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
	auth, err := hkdf.Key(sha256.New, pinHash.Reveal(), g.box.Salt[:], pinLabel, authBytes)
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

// show shows the index's authorization, which cover has, to the policy session s:
// TPM2_PolicySecret (Part 3 §23.4). With a lifetime it gives a ticket for ref. The
// nonce is left out: then the time runs from now, not from when the session began,
// and the ticket ends with a restart of the TPM.
func (g *generation) show(t transport.TPM, s, cover *wire.Session, ref []byte, lifetime time.Duration) (*wire.Ticket, error) {
	rsp, err := tpm2.PolicySecret{
		AuthHandle:    g.by(cover),
		PolicySession: s.Handle(),
		PolicyRef:     tpm2.TPM2BNonce{Buffer: ref},
		Expiration:    -int32(lifetime / time.Second), //nolint:gosec // GrantLifetime.
	}.Execute(t)
	if err != nil {
		return nil, g.refusal(t, err)
	}
	return &wire.Ticket{Timeout: rsp.Timeout.Buffer, Proof: rsp.PolicyTicket}, nil
}

// refusal tells a wrong PIN from everything else that PolicySecret may answer.
func (g *generation) refusal(t transport.TPM, err error) error {
	switch {
	case errors.Is(err, tpm2.TPMRCAuthUnavailable):
		return &authenticator.WrongPIN{Retries: 0}
	case errors.Is(err, tpm2.TPMRCBadAuth), errors.Is(err, tpm2.TPMRCAuthFail):
		left, err := g.retries(t)
		if err != nil {
			return fmt.Errorf("%w, and the attempts cannot be read: %w", ctap.PINInvalid, err)
		}
		return &authenticator.WrongPIN{Retries: left}
	case errors.Is(err, tpm2.TPMRCHandle):
		return ended(err)
	default:
		return fmt.Errorf("PolicySecret: %w", err)
	}
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
		cover, err := wire.StartHMAC(t, m.srk.salt())
		if err != nil {
			return err
		}
		defer cover.Wipe()
		cover.SetAuth(auth)
		ticket, err = g.show(t, s, cover, ref, lifetime)
		return err
	})
	return ticket, err
}

// change is TPM2_NV_ChangeAuth under what K approved for it: PolicySecret of the
// index itself. One salted session shows the old authorization and then covers the
// new one. It wipes old.
func (g *generation) change(t transport.TPM, parent *srk, old, next []byte) error {
	cover, err := wire.StartHMAC(t, parent.salt())
	if err != nil {
		return err
	}
	defer cover.Wipe()
	s, err := wire.StartPolicy(t, nil)
	if err != nil {
		return err
	}
	cover.Keep()
	cover.SetAuth(old)
	if _, err := g.show(t, s, cover, nil, 0); err != nil {
		return err
	}
	p := changePolicy(g.index.Name)
	if err := authorize(t, s, p, g.box.Change, g.authority(), wire.NVChangeAuth); err != nil {
		return err
	}
	cover.SetAuth(nil)
	cover.End()
	if err := wire.ChangeNVAuth(t, g.index, next, s, cover); err != nil {
		return fmt.Errorf("NV_ChangeAuth: %w", err)
	}
	return nil
}

// retries reads the index: with the owner's empty authorization, which is one
// command, or where somebody has set it, by K's approval.
func (g *generation) retries(t transport.TPM) (int, error) {
	read := tpm2.NVRead{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		NVIndex:    g.index,
		Size:       pinCounterBytes,
	}
	rsp, err := read.Execute(t)
	if errors.Is(err, tpm2.TPMRCBadAuth) || errors.Is(err, tpm2.TPMRCAuthFail) {
		var s *wire.Session
		if s, err = g.approved(t, readPolicy(), g.box.Read, tpm2.TPMCCNVRead); err != nil {
			return 0, err
		}
		read.AuthHandle = g.by(s)
		rsp, err = read.Execute(t)
	}
	switch {
	case errors.Is(err, tpm2.TPMRCHandle):
		return 0, ended(err)
	case err != nil:
		return 0, fmt.Errorf("NV_Read: %w", err)
	case len(rsp.Data.Buffer) != pinCounterBytes:
		return 0, fmt.Errorf("NV_Read: %d bytes", len(rsp.Data.Buffer))
	}
	used := binary.BigEndian.Uint32(rsp.Data.Buffer)
	return max(0, attempts-int(min(used, attempts))), nil
}
