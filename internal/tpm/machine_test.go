package tpm

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/keystest"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/swtpm"
	"github.com/localpasskey/localpasskey/internal/tpm/pinindex"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// memory is a ledger that remembers what it was given, and in which order.
type memory struct {
	mu     sync.Mutex
	saved  [][]byte
	meddle func(n int, save func()) error // n is the number of the Save, from 1
}

func (m *memory) Load() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.saved) == 0 {
		return nil, nil
	}
	return bytes.Clone(m.saved[len(m.saved)-1]), nil
}

func (m *memory) Save(b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	save := func() { m.saved = append(m.saved, bytes.Clone(b)) }
	if m.meddle != nil {
		return m.meddle(len(m.saved)+1, save)
	}
	save()
	return nil
}

// chip is a TPM that a test has to itself.
type chip interface {
	// Opener opens it through a resource manager.
	Opener() func(context.Context) (transport.TPMCloser, error)
	// Bare opens the chip itself, where everybody's sessions and objects show.
	Bare() Opener
}

// software is swtpm as a child. Its resource manager hides nothing.
type software struct{ *swtpm.TPM }

func (s software) Bare() Opener { return s.Opener() }

func startTPM(t testing.TB) software {
	t.Helper()
	chip, err := swtpm.Start(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := chip.Close(); err != nil {
			t.Error(err)
		}
	})
	return software{chip}
}

func setUp(t testing.TB) (*Machine, software, *memory) {
	t.Helper()
	chip, ledger := startTPM(t), new(memory)
	m, err := SetUp(t.Context(), chip.Opener(), ledger)
	if err != nil {
		t.Fatal(err)
	}
	return m, chip, ledger
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must1[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// indices lists the NV indices of our range.
func indices(t testing.TB, c chip) []tpm2.TPMHandle {
	t.Helper()
	return slices.DeleteFunc(handles(t, c, pinindex.First), func(h tpm2.TPMHandle) bool { return h > pinindex.Last })
}

// handles lists handles of one type from the given one on. Saved sessions, which are
// asked for by the type 3, are all called by the type 2.
func handles(t testing.TB, c chip, from tpm2.TPMHandle) []tpm2.TPMHandle {
	t.Helper()
	conn := must1[Conn](t)(c.Bare()(context.Background())) // Clean-up has no t.Context.
	defer conn.Close()
	rsp := must1[*tpm2.GetCapabilityResponse](t)(tpm2.GetCapability{
		Capability: tpm2.TPMCapHandles, Property: uint32(from), PropertyCount: 64,
	}.Execute(conn))
	list, err := rsp.CapabilityData.Data.Handles()
	must(t, err)
	return list.Handle
}

// clean checks that no object and no session is left in the chip, and that the
// indices are those given.
func clean(t testing.TB, c chip, want ...tpm2.TPMHandle) {
	t.Helper()
	for _, from := range []tpm2.TPMHandle{0x02000000, 0x03000000, 0x80000000} {
		if left := handles(t, c, from); len(left) != 0 {
			t.Errorf("left in the TPM: %x", left)
		}
	}
	if left := indices(t, c); !slices.Equal(left, want) {
		t.Errorf("indices %x, want %x", left, want)
	}
}

// leftShows is a check of the check: what a connection has in the chip can be seen.
func leftShows(t *testing.T, c chip) {
	conn := must1[Conn](t)(c.Opener()(t.Context()))
	must1[*wire.Session](t)(wire.StartPolicy(conn, nil))
	if len(handles(t, c, 0x03000000)) == 0 {
		t.Error("an open session does not show")
	}
	must(t, conn.Close())
	clean(t, c)
}

func TestWhatIsLeftShows(t *testing.T) { leftShows(t, startTPM(t)) }

func explained(t testing.TB, err error) *ctap.Problem {
	t.Helper()
	var p *ctap.Problem
	if !errors.As(err, &p) {
		t.Fatalf("got %v, want a *ctap.Problem", err)
	}
	if p.What == "" || p.Hint == "" {
		t.Errorf("a problem without words or hint: %+v", p)
	}
	return p
}

func TestContract(t *testing.T) {
	for name, with := range map[string]func(Opener) Opener{
		"with CreateLoaded":    func(open Opener) Opener { return open },
		"without CreateLoaded": withoutCreateLoaded,
		"without P-384":        withoutP384(refusesCurve),
	} {
		t.Run(name, func(t *testing.T) {
			keystest.Run(t, func(t *testing.T) keystest.Hardware {
				chip := startTPM(t)
				m := must1[*Machine](t)(SetUp(t.Context(), with(chip.Opener()), new(memory)))
				t.Cleanup(func() { clean(t, chip, pinindex.First) })
				return keystest.Hardware{Keys: m, PIN: m, Attempts: pinindex.Attempts}
			})
		})
	}
}

// What the chip lacks is not promised, at set-up and at each start.
func TestAlgorithms(t *testing.T) {
	for name, c := range map[string]struct {
		with func(Opener) Opener
		want cose.Algorithm
	}{
		"with P-384":            {func(open Opener) Opener { return open }, cose.ES384},
		"without the curve":     {withoutP384(refusesCurve), cose.ES256},
		"without the command":   {withoutP384(tpm2.TPMRCCommandCode), cose.ES256},
		"with an odd no":        {withoutP384(tpm2.TPMRCCommandSize), cose.ES256},
		"with another odd no":   {withoutP384(tpm2.TPMRCValue), cose.ES256},
		"with yet another (P2)": {withoutP384(tpm2.TPMRCScheme | 0x240), cose.ES256},
	} {
		chip, ledger := startTPM(t), new(memory)
		fresh := must1[*Machine](t)(SetUp(t.Context(), c.with(chip.Opener()), ledger))
		again := must1[*Machine](t)(Open(t.Context(), c.with(chip.Opener()), ledger))
		for _, m := range []*Machine{fresh, again} {
			all := m.Algorithms()
			if all[0] != cose.ES256 || all[len(all)-1] != c.want {
				t.Errorf("%s: algorithms %v, want %d last", name, all, c.want)
			}
		}
	}
}

func signWith(t testing.TB, m *Machine, key *authenticator.Key, g authenticator.Grant) error {
	t.Helper()
	p, err := m.Prepare(t.Context(), key, g)
	if err != nil {
		return err
	}
	defer p.Close()
	_, err = p.Sign(t.Context(), make([]byte, 32))
	return err
}

func TestOpenTakesUp(t *testing.T) {
	m, chip, ledger := setUp(t)
	must(t, m.Change(t.Context(), secret.Bytes{}, keystest.Hash("1234")))
	spec := authenticator.KeySpec{Kind: authenticator.SigningKey, Binding: authenticator.PINBound, RPIDHash: [32]byte{1}}
	key := must1[*authenticator.Key](t)(m.Create(t.Context(), spec))
	must(t, chip.Restart(t.Context()))

	again, err := Open(t.Context(), chip.Opener(), ledger)
	must(t, err)
	if again.Generation() != m.Generation() || !again.MetadataKey().Equal(m.MetadataKey()) || !again.IsSet() {
		t.Error("another generation, key or PIN state after a restart")
	}
	g, err := again.Verify(t.Context(), keystest.Hash("1234"), &spec.RPIDHash)
	must(t, err)
	must(t, signWith(t, again, key, g))
	clean(t, chip, pinindex.First)

	if _, err := SetUp(t.Context(), chip.Opener(), ledger); explained(t, err).Hint == "" {
		t.Error("set up twice")
	}
}

// Another program is quicker: it keeps the storage key, and takes the handle that was
// free. (People who set up at the same moment on one machine do that to each other.)
func TestSetUpRaces(t *testing.T) {
	chip := startTPM(t)
	raced := map[tpm2.TPMCC]bool{tpm2.TPMCCEvictControl: false, tpm2.TPMCCNVDefineSpace: false}
	tap := &tap{open: chip.Opener()}
	tap.meddle = func(n int, send func() ([]byte, error)) ([]byte, error) {
		switch cc := tap.since(n - 1)[0]; {
		case cc == tpm2.TPMCCEvictControl && !raced[cc]:
			raced[cc] = true
			if _, err := send(); err != nil {
				return nil, err
			}
		case cc == tpm2.TPMCCNVDefineSpace && !raced[cc]:
			raced[cc] = true
		default:
			return send()
		}
		return answer(tpm2.TPMRCNVDefined), nil
	}
	m, err := SetUp(t.Context(), tap.Open, new(memory))
	must(t, err)
	for cc, happened := range raced {
		if !happened {
			t.Errorf("nobody was quicker at %x", cc)
		}
	}
	clean(t, chip, m.generation().index.Handle)
	tap.leakless(t)
}
