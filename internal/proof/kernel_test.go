//go:build e2e && linux

package proof_test

import (
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/proof"
	"github.com/localpasskey/localpasskey/internal/tpm"
	"github.com/localpasskey/localpasskey/internal/tpm/node"
	"github.com/localpasskey/localpasskey/test/vm"
)

// TestProofThroughTheKernel makes proofs by either endorsement key behind the resource
// manager of a real kernel, which swaps what is loaded around every command. The test
// plays the TPM's maker.
func TestProofThroughTheKernel(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{Limit: 5 * time.Minute})
		return
	}
	m := setUp(t, node.Open("/dev/tpmrm0"), nil)
	root := newAuthority(t, nil)
	tr := trust(t, now(), root.pem())
	key := m.key(authenticator.PINBound)
	p256, rsa2048 := m.endorsementKeys()
	m.store(certificateRSA, root.endorse(t, rsa2048, endorsementUsage()))
	prove := func(how string, attempts int) {
		t.Run(how, func(t *testing.T) {
			began := time.Now()
			r := m.round(key, tr)
			t.Logf("a claim and an answer in %d ms", time.Since(began).Milliseconds())
			has(t, must1[*proof.Result](t)(tr.Verify(r.note, r.answer)), key, attempts)
		})
	}
	prove("RSA-2048", 8)
	m.store(certificateP256, root.endorse(t, p256, endorsementUsage()))
	prove("P-256", 8)
	m.password(tpm2.TPMRHOwner, "secret")
	prove("an owner password", 0)
	t.Run("nothing is left", func(t *testing.T) {
		bare := must1[tpm.Conn](t)(node.Open("/dev/tpm0")(t.Context()))
		defer bare.Close()
		if left := loaded(t, bare); len(left) != 0 {
			t.Errorf("left in the TPM: %x", left)
		}
	})
}
