//go:build e2e && linux

package vm_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/tpm/node"
	"github.com/localpasskey/localpasskey/test/vm"
)

// TestPower holds the harness to what it says of a power cut: the machine's memory is
// gone, the TPM is the same and was told nothing, and what was kept is there.
func TestPower(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{LogTPM: true})
		return
	}
	kept := filepath.Join(vm.Kept(), "clock")
	const gone = "/run/gone"
	if vm.Boot() == 0 {
		before := readClock(t)
		t.Run("before", func(t *testing.T) {
			check(t, os.WriteFile(kept, tpm2.Marshal(before), 0o600))
			check(t, os.WriteFile(gone, nil, 0o600))
		})
		vm.CutPower(t)
	}
	t.Run("after", func(t *testing.T) {
		content, err := os.ReadFile(kept)
		check(t, err)
		before, err := tpm2.Unmarshal[tpm2.TPMSTimeInfo](content)
		check(t, err)
		now := readClock(t)
		resets := now.ClockInfo.ResetCount - before.ClockInfo.ResetCount
		if vm.Boot() != 1 || resets != 1 {
			t.Errorf("boot %d, and the TPM was reset %d times", vm.Boot(), resets)
		}
		if slices.Contains(vm.Commands(t), uint32(tpm2.TPMCCShutdown)) {
			t.Error("the TPM was told")
		}
		if present(gone) {
			t.Error("the machine still knows what it knew")
		}
	})
}

func readClock(t *testing.T) tpm2.TPMSTimeInfo {
	t.Helper()
	conn, err := node.Open("/dev/tpmrm0")(t.Context())
	check(t, err)
	defer conn.Close()
	rsp, err := tpm2.ReadClock{}.Execute(conn)
	check(t, err)
	return rsp.CurrentTime
}
