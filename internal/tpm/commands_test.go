package tpm

import (
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/keystest"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// bench is a machine whose commands are counted twice: what is sent, and what
// reaches the chip through the resource manager.
type bench struct {
	*testing.T
	*Machine
	tap     *tap
	reached func() int64 // how many commands have reached the chip so far
}

func newBench(t *testing.T) *bench {
	t.Helper()
	chip := startTPM(t)
	return newBenchOn(t, chip.Opener(), chip.Commands)
}

func newBenchOn(t *testing.T, open Opener, reached func() int64) *bench {
	t.Helper()
	tap := &tap{open: open}
	m, err := SetUp(t.Context(), tap.Open, new(memory))
	must(t, err)
	t.Cleanup(func() { tap.leakless(t) })
	return &bench{T: t, Machine: m, tap: tap, reached: reached}
}

// costs runs one step and checks every command of it.
func (b *bench) costs(step, want string, atMost int64, f func()) {
	b.Helper()
	sent, before := b.tap.count(), b.reached()
	f()
	chip := b.reached() - before
	got := words(b.tap.since(sent))
	b.Logf("%-52s %2d sent %3d at the chip   %s", step, len(b.tap.since(sent)), chip, got)
	if got != want {
		b.Errorf("%s: sent %s, want %s", step, got, want)
	}
	if atMost > 0 && chip > atMost {
		b.Errorf("%s: %d commands reached the chip, want at most %d", step, chip, atMost)
	}
}

func TestCommandsOfSetUp(t *testing.T) {
	chip := startTPM(t)
	tap := &tap{open: chip.Opener()}
	m, err := SetUp(t.Context(), tap.Open, new(memory))
	must(t, err)
	t.Logf("set-up, probe included: %d sent, %d at the chip: %s", tap.count(), chip.Commands(), words(tap.since(0)))
	if tap.count() > 60 {
		t.Errorf("%d commands for a set-up", tap.count())
	}
	sent := tap.count()
	must(t, m.Renew(t.Context()))
	t.Logf("reset: %d sent: %s", tap.count()-sent, words(tap.since(sent)))
	if tap.count()-sent > 20 {
		t.Errorf("%d commands for a reset", tap.count()-sent)
	}
}

func TestCommands(t *testing.T) {
	b := newBench(t)
	ctx, rp := t.Context(), [32]byte{1}
	pin, next := keystest.Hash("1234"), keystest.Hash("5678")
	b.costs("set the first PIN", "StartAuthSession StartAuthSession PolicySecret PolicyCommandCode PolicyAuthorize NV_ChangeAuth", 0, func() {
		must(t, b.Change(ctx, secret.Bytes{}, next))
	})
	b.costs("change the PIN", "StartAuthSession StartAuthSession PolicySecret PolicyCommandCode PolicyAuthorize NV_ChangeAuth", 0, func() {
		must(t, b.Change(ctx, next, pin))
	})
	var grant authenticator.Grant
	b.costs("verify the PIN, salted", "StartAuthSession StartAuthSession PolicySecret", 13, func() {
		grant = must1[authenticator.Grant](t)(b.Verify(ctx, pin, &rp))
	})
	b.costs("read the attempts", "NV_Read", 1, func() { must1[int](t)(b.Retries(ctx)) })

	spec := authenticator.KeySpec{Kind: authenticator.SigningKey, Binding: authenticator.PINBound, RPIDHash: rp}
	var key *authenticator.Key
	b.costs("create a key", "Create", 1, func() { key = must1[*authenticator.Key](t)(b.Create(ctx, spec)) })

	assertion := func(key *authenticator.Key) func() {
		return func() {
			p := must1[authenticator.Prepared](t)(b.Prepare(ctx, key, grant))
			must1[[]byte](t)(p.Sign(ctx, make([]byte, 32)))
			must(t, p.Close())
		}
	}
	b.costs("assertion with a live ticket", "StartAuthSession PolicyTicket Load Sign", 16, assertion(key))
	b.costs("registration with self attestation", "StartAuthSession PolicyTicket CreateLoaded Sign", 16, func() {
		registration(b, spec, grant)
	})
	spec.Kind = authenticator.MACKey
	mac := must1[*authenticator.Key](t)(b.Create(ctx, spec))
	b.costs("hmac-secret, one salt", "StartAuthSession PolicyTicket Load HMAC", 16, func() {
		p := must1[authenticator.Prepared](t)(b.Prepare(ctx, mac, grant))
		must1[secret.Bytes](t)(p.MAC(ctx, make([]byte, 32)))
		must(t, p.Close())
	})
	spec = authenticator.KeySpec{Kind: authenticator.SigningKey, Binding: authenticator.PresenceOnly, RPIDHash: rp}
	free := must1[*authenticator.Key](t)(b.Create(ctx, spec))
	b.costs("assertion with a presence-only key", "StartAuthSession PolicyCommandCode PolicyAuthorize StartAuthSession PolicyNV Load Sign", 0, assertion(free))
}

// registration makes a key and signs with it once.
func registration(b *bench, spec authenticator.KeySpec, grant authenticator.Grant) {
	b.Helper()
	_, p, err := b.CreatePrepared(b.Context(), spec, grant)
	must(b.T, err)
	must1[[]byte](b.T)(p.Sign(b.Context(), make([]byte, 32)))
	must(b.T, p.Close())
}

// A chip that lacks TPM2_CreateLoaded makes the key first, when nothing else is
// there to be swapped.
func TestCommandsWithoutCreateLoaded(t *testing.T) {
	chip := startTPM(t)
	b := newBenchOn(t, withoutCreateLoaded(chip.Opener()), chip.Commands)
	rp, pin := [32]byte{1}, keystest.Hash("1234")
	must(t, b.Change(t.Context(), secret.Bytes{}, pin))
	grant := must1[authenticator.Grant](t)(b.Verify(t.Context(), pin, &rp))
	spec := authenticator.KeySpec{Kind: authenticator.SigningKey, Binding: authenticator.PINBound, RPIDHash: rp}
	b.costs("registration without CreateLoaded", "Create StartAuthSession PolicyTicket Load Sign", 17, func() {
		registration(b, spec, grant)
	})
}

func TestCommandsAfterTheGesture(t *testing.T) {
	b := newBench(t)
	ctx, rp, pin := t.Context(), [32]byte{1}, keystest.Hash("1234")
	must(t, b.Change(ctx, secret.Bytes{}, pin))
	spec := authenticator.KeySpec{Kind: authenticator.SigningKey, Binding: authenticator.PINBound, RPIDHash: rp}
	key := must1[*authenticator.Key](t)(b.Create(ctx, spec))
	grant := must1[authenticator.Grant](t)(b.Verify(ctx, pin, &rp))

	longer := spec
	longer.Algorithm = cose.ES384
	b.costs("registration with ES384", "StartAuthSession PolicyTicket CreateLoaded Sign", 16, func() {
		key, p, err := b.CreatePrepared(ctx, longer, grant)
		must(t, err)
		must1[[]byte](t)(p.Sign(ctx, key.Digest(nil)))
		must(t, p.Close())
	})

	var p authenticator.Prepared
	b.costs("with a live ticket: before the gesture", "StartAuthSession PolicyTicket Load", 10, func() {
		p = must1[authenticator.Prepared](t)(b.Prepare(ctx, key, grant))
	})
	b.costs("with a live ticket: after it", "Sign", 6, func() {
		must1[[]byte](t)(p.Sign(ctx, make([]byte, 32)))
		must(t, p.Close())
	})
	b.costs("with the PIN in the prompt: before the gesture", "StartAuthSession StartAuthSession Load", 0, func() {
		p = must1[authenticator.Prepared](t)(b.Prepare(ctx, key, nil))
	})
	b.costs("with the PIN in the prompt: after it", "PolicySecret Sign", 0, func() {
		must1[authenticator.Grant](t)(p.Verify(ctx, pin))
		must1[[]byte](t)(p.Sign(ctx, make([]byte, 32)))
		must(t, p.Close())
	})
}
