package tpm

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/keystest"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/pinindex"
)

// rig is a machine with a wire and a ledger that can be cut.
type rig struct {
	*testing.T
	chip   software
	tap    *tap
	ledger *memory
	m      *Machine // nil before SetUp

	bound, free, mac *authenticator.Key
	generation       [16]byte // of the keys
	grant            authenticator.Grant
}

func newRig(t *testing.T) *rig {
	chip := startTPM(t)
	return &rig{T: t, chip: chip, tap: &tap{open: chip.Opener()}, ledger: new(memory)}
}

// ready sets up and populates.
func (r *rig) ready(pin bool) *rig {
	r.Helper()
	r.m = must1[*Machine](r.T)(SetUp(r.Context(), r.tap.Open, r.ledger))
	return r.populate(pin)
}

// populate sets the PIN, where one is wanted, and makes keys.
func (r *rig) populate(pin bool) *rig {
	r.Helper()
	if pin {
		must(r.T, r.m.Change(r.Context(), secret.Bytes{}, keystest.Hash("1234")))
		r.grant = must1[authenticator.Grant](r.T)(r.m.Verify(r.Context(), keystest.Hash("1234"), &rpA))
	}
	r.generation = r.m.Generation()
	r.bound = r.newKey(authenticator.SigningKey, authenticator.PINBound)
	r.free = r.newKey(authenticator.SigningKey, authenticator.PresenceOnly)
	r.mac = r.newKey(authenticator.MACKey, authenticator.PINBound)
	return r
}

func (r *rig) newKey(kind authenticator.KeyKind, binding authenticator.Binding) *authenticator.Key {
	r.Helper()
	return must1[*authenticator.Key](r.T)(r.m.Create(r.Context(), authenticator.KeySpec{Kind: kind, Binding: binding, RPIDHash: rpA}))
}

// operation is one that may be interrupted.
type operation struct {
	name string
	pin  bool // needs a PIN first
	new  bool // runs on a machine that is not set up
	old  bool // runs on a chip without CreateLoaded
	run  func(r *rig) error
}

func operations() []operation {
	return []operation{
		{name: "set up", new: true, run: func(r *rig) (err error) {
			r.m, err = SetUp(r.Context(), r.tap.Open, r.ledger)
			return err
		}},
		{name: "open", pin: true, run: func(r *rig) error {
			_, err := Open(r.Context(), r.tap.Open, r.ledger)
			return err
		}},
		{name: "reset", pin: true, run: func(r *rig) error { return r.m.Renew(r.Context()) }},
		{name: "first PIN", run: func(r *rig) error {
			return r.m.Change(r.Context(), secret.Bytes{}, keystest.Hash("1234"))
		}},
		{name: "another PIN", pin: true, run: func(r *rig) error {
			return r.m.Change(r.Context(), keystest.Hash("1234"), keystest.Hash("5678"))
		}},
		{name: "verify", pin: true, run: func(r *rig) error {
			_, err := r.m.Verify(r.Context(), keystest.Hash("1234"), &rpA)
			return err
		}},
		{name: "attempts", pin: true, run: func(r *rig) error {
			_, err := r.m.Retries(r.Context())
			return err
		}},
		{name: "create", pin: true, run: func(r *rig) error {
			_, err := r.m.Create(r.Context(), r.bound.KeySpec)
			return err
		}},
		{name: "create and sign with a grant", pin: true, run: func(r *rig) error { return r.createAndUse(r.grant, signOnce) }},
		{name: "create and sign with the PIN", pin: true, run: func(r *rig) error { return r.createAndUse(nil, signWithPIN) }},
		{name: "create, then load and sign", pin: true, old: true, run: func(r *rig) error { return r.createAndUse(r.grant, signOnce) }},
		{name: "sign with a grant", pin: true, run: func(r *rig) error { return r.use(r.bound, r.grant, signOnce) }},
		{name: "sign with the PIN", pin: true, run: func(r *rig) error { return r.use(r.bound, nil, signWithPIN) }},
		{name: "sign with presence", pin: true, run: func(r *rig) error { return r.use(r.free, nil, signOnce) }},
		{name: "MAC", pin: true, run: func(r *rig) error {
			return r.use(r.mac, r.grant, func(r *rig, p authenticator.Prepared) error {
				_, err := p.MAC(r.Context(), []byte("salt"))
				return err
			})
		}},
		{name: "describe", pin: true, run: func(r *rig) error {
			_, err := r.m.Describe(r.Context())
			return err
		}},
	}
}

// use prepares a key and uses it.
func (r *rig) use(key *authenticator.Key, g authenticator.Grant, use func(*rig, authenticator.Prepared) error) error {
	p, err := r.m.Prepare(r.Context(), key, g)
	if err != nil {
		return err
	}
	return errors.Join(use(r, p), p.Close())
}

// createAndUse does so with a new key.
func (r *rig) createAndUse(g authenticator.Grant, use func(*rig, authenticator.Prepared) error) error {
	_, p, err := r.m.CreatePrepared(r.Context(), r.bound.KeySpec, g)
	if err != nil {
		return err
	}
	return errors.Join(use(r, p), p.Close())
}

func signOnce(r *rig, p authenticator.Prepared) error {
	_, err := p.Sign(r.Context(), make([]byte, 32))
	return err
}

func signWithPIN(r *rig, p authenticator.Prepared) error {
	if _, err := p.Verify(r.Context(), keystest.Hash("1234")); err != nil {
		return err
	}
	return signOnce(r, p)
}

func (o operation) rig(t *testing.T) *rig {
	r := newRig(t)
	if o.old {
		r.tap.open = withoutCreateLoaded(r.tap.open)
	}
	if !o.new {
		r.ready(o.pin)
	}
	return r
}

// steps is how many commands and how many Saves an undisturbed run takes.
func (o operation) steps(t *testing.T) (commands, saves int) {
	t.Helper()
	r := o.rig(t)
	sent, saved := r.tap.count(), len(r.ledger.saved)
	must(t, o.run(r))
	return r.tap.count() - sent, len(r.ledger.saved) - saved
}

// sampled is every number below n, or with -short every fifth.
func sampled(n int) iter.Seq[int] {
	step := 1
	if testing.Short() {
		step = 5
	}
	return func(yield func(int) bool) {
		for i := 0; i < n; i += step {
			if !yield(i) {
				return
			}
		}
	}
}

// TestAttackA10KilledAnywhere kills the daemon before and after every TPM command
// and every write of the ledger, of every operation, and starts it again.
func TestAttackA10KilledAnywhere(t *testing.T) {
	kills := 0
	for _, o := range operations() {
		t.Run(o.name, func(t *testing.T) {
			commands, saves := o.steps(t)
			for n := range sampled(commands) {
				for _, after := range []bool{false, true} {
					kills++
					t.Run(fmt.Sprintf("command %d, after it: %v", n+1, after), func(t *testing.T) {
						killAtCommand(o.rig(t), o, n+1, after)
					})
				}
			}
			for n := range saves {
				for _, after := range []bool{false, true} {
					kills++
					t.Run(fmt.Sprintf("write %d, after it: %v", n+1, after), func(t *testing.T) {
						killAtSave(o.rig(t), o, n+1, after)
					})
				}
			}
		})
	}
	t.Logf("killed %d times", kills)
}

func killAtCommand(r *rig, o operation, n int, after bool) {
	r.Helper()
	at := r.tap.count() + n
	r.tap.meddle = func(n int, send func() ([]byte, error)) ([]byte, error) {
		if n != at {
			return send()
		}
		r.die()
		if after {
			_, _ = send()
		}
		return nil, errCut
	}
	if err := o.run(r); err == nil {
		r.Fatal("the operation did not notice")
	}
	r.comesBack(o)
}

func killAtSave(r *rig, o operation, n int, after bool) {
	r.Helper()
	at := len(r.ledger.saved) + n
	r.ledger.meddle = func(n int, save func()) error {
		if n != at {
			save()
			return nil
		}
		r.tap.cut()
		if after {
			save()
		}
		r.ledger.meddle = func(int, func()) error { return errCut }
		return errCut
	}
	if err := o.run(r); err == nil {
		r.Fatal("the operation did not notice")
	}
	r.comesBack(o)
}

// die cuts the wire and the ledger.
func (r *rig) die() {
	r.tap.cut()
	r.ledger.meddle = func(int, func()) error { return errCut }
}

// comesBack starts the daemon again on the same TPM and the same ledger.
func (r *rig) comesBack(o operation) {
	r.Helper()
	r.tap.leakless(r.T)
	r.ledger.meddle = nil
	m, err := Open(r.Context(), r.chip.Opener(), r.ledger)
	if o.new && err != nil {
		if ctap.StatusOf(err) != ctap.NotAllowed || explained(r.T, err).Hint == "" {
			r.Fatalf("opening after a set-up that was cut short: %v", err)
		}
		clean(r.T, r.chip)
		m, err = SetUp(r.Context(), r.chip.Opener(), r.ledger)
	}
	must(r.T, err)
	clean(r.T, r.chip, m.generation().index.Handle)
	left := must1[int](r.T)(m.Retries(r.Context()))
	if left < pinindex.Attempts-1 {
		r.Errorf("%d attempts left", left)
	}
	r.worksFrom(m)
	clean(r.T, r.chip, m.generation().index.Handle)
}

// worksFrom checks that what m says of its PIN is so, and that a whole life follows.
func (r *rig) worksFrom(m *Machine) {
	r.Helper()
	ctx, pin := r.Context(), keystest.Hash("1234")
	if m.IsSet() {
		if _, err := m.Verify(ctx, pin, nil); err != nil {
			pin = keystest.Hash("5678")
		}
	} else {
		must(r.T, m.Change(ctx, secret.Bytes{}, pin))
	}
	g := must1[authenticator.Grant](r.T)(m.Verify(ctx, pin, &rpA))
	if r.bound != nil && m.Generation() == r.generation {
		must(r.T, signWith(r.T, m, r.bound, g))
		must(r.T, signWith(r.T, m, r.free, nil))
	}
	key := must1[*authenticator.Key](r.T)(m.Create(ctx, authenticator.KeySpec{
		Kind: authenticator.SigningKey, Binding: authenticator.PINBound, RPIDHash: rpA,
	}))
	must(r.T, signWith(r.T, m, key, g))
	must(r.T, m.Renew(ctx))
	if err := signWith(r.T, m, key, nil); ctap.StatusOf(err) != ctap.InvalidCredential {
		r.Errorf("a key survived a reset: %v", err)
	}
}

// TestFailingCommand has each command of each operation fail once: by the TPM's
// refusal, or with its answer lost or mangled.
func TestFailingCommand(t *testing.T) {
	failures := map[string]func(send func() ([]byte, error)) ([]byte, error){
		"refused": func(func() ([]byte, error)) ([]byte, error) { return answer(tpm2.TPMRCFailure), nil },
		"unanswered": func(send func() ([]byte, error)) ([]byte, error) {
			_, _ = send()
			return nil, errCut
		},
		"cut short": func(send func() ([]byte, error)) ([]byte, error) {
			rsp, err := send()
			return rsp[:min(len(rsp), 9)], err
		},
	}
	for _, o := range operations() {
		commands, _ := o.steps(t)
		for name, fail := range failures {
			t.Run(o.name+", "+name, func(t *testing.T) {
				r := o.rig(t)
				for n := range sampled(commands) {
					failAt(r, o, n+1, fail)
					if o.new {
						r = o.rig(t)
					} else {
						r.populate(o.pin)
					}
				}
			})
		}
	}
}

func failAt(r *rig, o operation, n int, fail func(send func() ([]byte, error)) ([]byte, error)) {
	r.Helper()
	at := r.tap.count() + n
	r.tap.meddle = func(n int, send func() ([]byte, error)) ([]byte, error) {
		if n == at {
			return fail(send)
		}
		return send()
	}
	err := o.run(r)
	if err == nil {
		r.Fatalf("command %d failed and nobody noticed", n)
	}
	r.tap.leakless(r.T)
	r.tap.meddle = nil
	r.accounted()
	if o.new {
		must(r.T, o.run(r))
	}
	r.worksFrom(r.m)
	clean(r.T, r.chip, r.m.generation().index.Handle)
}

// accounted checks that the ledger knows every index that there is.
func (r *rig) accounted() {
	r.Helper()
	known := map[tpm2.TPMHandle]bool{}
	if b := must1[[]byte](r.T)(r.ledger.Load()); len(b) > 0 {
		rec := must1[*record](r.T)(decodeRecord(b))
		if rec.Current != nil {
			known[tpm2.TPMHandle(rec.Current.Handle)] = true
		}
		for _, d := range rec.Doomed {
			known[tpm2.TPMHandle(d.Handle)] = true
		}
	}
	for _, h := range indices(r.T, r.chip) {
		if !known[h] {
			r.Errorf("index %x is in no ledger", h)
		}
	}
}

// TestBusyTPM has each command of each operation answered with "again" first.
func TestBusyTPM(t *testing.T) {
	busy := []tpm2.TPMRC{tpm2.TPMRCRetry, tpm2.TPMRCYielded, tpm2.TPMRCTesting, tpm2.TPMRCObjectMemory, tpm2.TPMRCSessionMemory}
	for _, o := range operations() {
		t.Run(o.name, func(t *testing.T) {
			r := o.rig(t)
			answered := 0
			again := false
			r.tap.meddle = func(_ int, send func() ([]byte, error)) ([]byte, error) {
				if again = !again; again {
					answered++
					return answer(busy[answered%len(busy)]), nil
				}
				return send()
			}
			sent := r.tap.count()
			must(t, o.run(r))
			commands := r.tap.since(sent)
			for i := 0; i < len(commands); i += 2 {
				if commands[i] != commands[i+1] {
					t.Fatalf("%v was not sent again", commands[i])
				}
			}
			if answered == 0 || len(commands) != 2*answered {
				t.Errorf("%d answers of a busy TPM for %d commands", answered, len(commands))
			}
			r.tap.leakless(t)
		})
	}
}

// TestCleanUpLeavesStrangers: an index that another program has defined where ours
// was going to be stays.
func TestCleanUpLeavesStrangers(t *testing.T) {
	r := newRig(t).ready(true)
	stranger := pinindex.First + 1
	conn := must1[Conn](t)(r.chip.Opener()(t.Context()))
	_, err := tpm2.NVDefineSpace{
		AuthHandle: owner(),
		PublicInfo: tpm2.New2B(tpm2.TPMSNVPublic{
			NVIndex: stranger, NameAlg: tpm2.TPMAlgSHA256, DataSize: 8,
			Attributes: tpm2.TPMANV{OwnerRead: true, OwnerWrite: true, NoDA: true},
		}),
	}.Execute(conn)
	must(t, err)
	must(t, conn.Close())
	must(t, r.m.save(r.m.generation(), []pinindex.Doomed{{Handle: uint32(stranger), Policy: [32]byte{1}}}))
	m := must1[*Machine](t)(Open(t.Context(), r.chip.Opener(), r.ledger))
	if got := indices(t, r.chip); !slices.Equal(got, []tpm2.TPMHandle{pinindex.First, stranger}) {
		t.Errorf("indices %x", got)
	}
	must(t, m.Renew(t.Context()))
	if got := m.generation().index.Handle; got != stranger+1 {
		t.Errorf("the new index is %x, not the first free one", got)
	}
}
