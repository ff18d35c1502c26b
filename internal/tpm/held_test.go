package tpm

import (
	"errors"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/keystest"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/held"
)

// TestHeldPIN: what the TPM has taken can be shown again without the PIN, to a key too,
// until a wrong PIN, a new one or a reset.
func TestHeldPIN(t *testing.T) {
	m, chip, _ := setUp(t)
	lifetime := time.Duration(0)
	h := held.New(func() time.Duration { return lifetime })
	m.Hold(h)
	ctx, rp := t.Context(), [32]byte{1}
	pin, next := keystest.Hash("1234"), keystest.Hash("5678")
	must(t, m.Change(ctx, secret.Bytes{}, pin))
	none := func(why string) {
		t.Helper()
		before := chip.Commands()
		if g, err := m.Verify(ctx, secret.Bytes{}, &rp); g != nil || !errors.Is(err, ctap.PINAuthInvalid) || !errors.Is(err, held.ErrNone) {
			t.Errorf("%s: %v, %v", why, g, err)
		}
		if sent := chip.Commands() - before; sent != 0 || h.Is() {
			t.Errorf("%s: %d commands, held %v", why, sent, h.Is())
		}
	}
	verify := func() { t.Helper(); must1[authenticator.Grant](t)(m.Verify(ctx, pin, &rp)) }
	verify()
	none("switched off")
	lifetime = time.Hour
	none("switched on after the PIN")
	verify()
	key := must1[*authenticator.Key](t)(m.Create(ctx, authenticator.KeySpec{Kind: authenticator.SigningKey, Binding: authenticator.PINBound, RPIDHash: rp}))
	for range 2 {
		p := must1[authenticator.Prepared](t)(m.Prepare(ctx, key, nil))
		must1[authenticator.Grant](t)(p.Verify(ctx, secret.Bytes{}))
		must1[[]byte](t)(p.Sign(ctx, make([]byte, 32)))
		must(t, p.Close())
	}
	grant := must1[authenticator.Grant](t)(m.Verify(ctx, secret.Bytes{}, &rp))
	p := must1[authenticator.Prepared](t)(m.Prepare(ctx, key, grant))
	must(t, p.Close())
	must1[authenticator.Grant](t)(m.Verify(ctx, secret.Bytes{}, nil))

	// A wrong PIN, on its own and in the use of a key.
	for _, wrong := range []func() error{
		func() error { _, err := m.Verify(ctx, next, &rp); return err },
		func() error {
			p := must1[authenticator.Prepared](t)(m.Prepare(ctx, key, nil))
			_, err := p.Verify(ctx, next)
			return errors.Join(err, p.Close())
		},
	} {
		if err := wrong(); !errors.Is(err, ctap.PINInvalid) {
			t.Errorf("a wrong PIN: %v", err)
		}
		none("after a wrong PIN")
		// A PIN typed for a key is held as well.
		p = must1[authenticator.Prepared](t)(m.Prepare(ctx, key, nil))
		must1[authenticator.Grant](t)(p.Verify(ctx, pin))
		must(t, p.Close())
		must1[authenticator.Grant](t)(m.Verify(ctx, secret.Bytes{}, &rp))
	}

	must(t, m.Change(ctx, pin, next))
	none("after a new PIN")
	must1[authenticator.Grant](t)(m.Verify(ctx, next, &rp))
	if err := m.Change(ctx, pin, next); !errors.Is(err, ctap.PINInvalid) {
		t.Errorf("changed by a wrong PIN: %v", err)
	}
	none("after a wrong PIN for a new one")
	must1[authenticator.Grant](t)(m.Verify(ctx, next, &rp))
	must(t, m.Renew(ctx))
	if _, err := m.Verify(ctx, secret.Bytes{}, &rp); !errors.Is(err, ctap.PINNotSet) || h.Is() {
		t.Errorf("after a reset: %v, held %v", err, h.Is())
	}
}
