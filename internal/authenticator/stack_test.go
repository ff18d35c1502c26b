package authenticator_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/store"
	"github.com/localpasskey/localpasskey/internal/swtpm"
	"github.com/localpasskey/localpasskey/internal/tpm"
)

// stack is a whole authenticator: swtpm, store on disk, scripted person.
type stack struct {
	*authenticator.Authenticator
	machine *tpm.Machine
	store   *store.Store
	file    string // of the store
	person  *ctaptest.Person
}

// Erase is what the daemon does for a reset.
func (s *stack) Erase(ctx context.Context) error {
	if err := s.machine.Renew(ctx); err != nil {
		return err
	}
	return s.store.Erase(s.machine.MetadataKey(), s.machine.Generation(), ctap.NewAuditEntry(ctx, ctap.AuditReset, "", ""))
}

// newStack builds one; change may alter its parts before the authenticator is
// made of them.
func newStack(t testing.TB, change ...func(*authenticator.Config)) *stack {
	t.Helper()
	return newStackOn(t, func(open tpm.Opener) tpm.Opener { return open }, change...)
}

// newStackOn puts something between the stack and its TPM.
func newStackOn(t testing.TB, between func(tpm.Opener) tpm.Opener, change ...func(*authenticator.Config)) *stack {
	t.Helper()
	chip, err := swtpm.Start(t.Context(), t.TempDir())
	check(t, err)
	t.Cleanup(func() { check(t, chip.Close()) })
	return newStackAt(t, between(chip.Opener()), change...)
}

// newStackAt builds one at a TPM.
func newStackAt(t testing.TB, open tpm.Opener, change ...func(*authenticator.Config)) *stack {
	t.Helper()
	s := &stack{person: ctaptest.NewPerson(ctaptest.Auto, 0)}
	var err error
	s.file = filepath.Join(t.TempDir(), "passkeys.db")
	s.store, err = store.Open(s.file)
	check(t, err)
	t.Cleanup(func() { check(t, s.store.Close()) })
	s.machine, err = tpm.SetUp(t.Context(), open, s.store.Ledger())
	check(t, err)
	check(t, s.store.Unlock(s.machine.MetadataKey(), s.machine.Generation()))
	config := authenticator.Config{
		Keys: s.machine, PIN: s.machine, Store: s.store, User: s.person, Eraser: s,
		BuiltInUV: func() bool { return true },
		AAGUID:    authenticator.TPMAAGUID(),
		Log:       slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&config)
	}
	s.Authenticator, err = authenticator.New(config)
	check(t, err)
	return s
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// contract runs ctaptest's suite with the channels that open gives.
func contract(t *testing.T, door ctap.Door, wrap func(*testing.T, *stack) ctap.Authenticator) {
	ctaptest.Run(t, func(t *testing.T) ctaptest.Device {
		s := newStack(t)
		return ctaptest.Device{
			Open:       func(t *testing.T) ctap.Authenticator { return wrap(t, s) },
			Person:     s.person,
			PowerCycle: func(t *testing.T) { check(t, s.PowerCycle()) },
			Socket:     door == ctap.DoorSocket,
		}
	})
}

func TestContractInProcess(t *testing.T) {
	contract(t, ctap.DoorSocket, func(_ *testing.T, s *stack) ctap.Authenticator {
		return s.Channel(ctap.DoorSocket)
	})
}

// loop carries messages without a wire: calls → bytes → calls.
type loop struct{ a ctap.Authenticator }

func (l loop) Exchange(ctx context.Context, request []byte) ([]byte, error) {
	return ctap.Serve(ctx, l.a, request), nil
}

func TestContractThroughBytes(t *testing.T) {
	contract(t, ctap.DoorHID, func(_ *testing.T, s *stack) ctap.Authenticator {
		return ctap.NewClient(loop{s.Channel(ctap.DoorHID)})
	})
}
