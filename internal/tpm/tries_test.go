package tpm

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/keystest"
	"github.com/localpasskey/localpasskey/internal/secret"
)

var errDisk = errors.New("no space left on the disk")

// TestFullDiskSpendsNoTries: a first PIN was interrupted after the TPM had taken it,
// and what became of it cannot be written down. However often that is tried, the
// tries stay, and with room on the disk the right PIN works.
func TestFullDiskSpendsNoTries(t *testing.T) {
	m, chip, ledger := setUp(t)
	full := false
	ledger.meddle = func(_ int, save func()) error {
		if full {
			return errDisk
		}
		save()
		full = true // the intent is noted; what follows is not
		return nil
	}
	pin, rp := keystest.Hash("1234"), [32]byte{1}
	if err := m.Change(t.Context(), secret.Bytes{}, pin); !errors.Is(err, errDisk) {
		t.Fatalf("setting a PIN on a full disk: %v", err)
	}
	for range 10 {
		if _, err := m.Verify(t.Context(), pin, &rp); !errors.Is(err, errDisk) {
			t.Errorf("verifying on a full disk: %v", err)
		}
		if again, err := Open(t.Context(), chip.Opener(), ledger); err == nil && !again.IsSet() {
			t.Error("the PIN is forgotten")
		}
	}
	full = false
	ledger.meddle = nil
	if left := must1[int](t)(m.Retries(t.Context())); left < 7 {
		t.Errorf("%d tries left after no wrong PIN", left)
	}
	must1[authenticator.Grant](t)(m.Verify(t.Context(), pin, &rp))
}

// TestWrongPINIsToldWithoutTheCount: the TPM has refused the PIN, and the connection
// fails before the tries left can be read. It is a wrong PIN all the same.
func TestWrongPINIsToldWithoutTheCount(t *testing.T) {
	chip, ledger := startTPM(t), new(memory)
	p := &tap{open: chip.Opener()}
	m, err := SetUp(t.Context(), p.Open, ledger)
	must(t, err)
	must(t, m.Change(t.Context(), secret.Bytes{}, keystest.Hash("1234")))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p.meddle = func(n int, send func() ([]byte, error)) ([]byte, error) {
		if p.since(0)[n-1] == tpm2.TPMCCNVRead {
			return nil, errCut
		}
		return send()
	}
	var wrong *authenticator.WrongPIN
	if _, err := m.Verify(ctx, keystest.Hash("9999"), nil); !errors.As(err, &wrong) || wrong.Retries == 0 {
		t.Errorf("got %v, want a wrong PIN that is not locked", err)
	}
}
