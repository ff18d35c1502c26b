//go:build e2e && linux

package tpm

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/tpm/node"
	"github.com/localpasskey/localpasskey/test/vm"
)

// kernelTPM is the TPM of the virtual machine, which this test has to itself: the
// product's way to it is the kernel's resource manager.
type kernelTPM struct{}

func (kernelTPM) Opener() func(context.Context) (transport.TPMCloser, error) {
	return node.Open("/dev/tpmrm0")
}

func (kernelTPM) Bare() Opener { return node.Open("/dev/tpm0") }

// TestAttacksThroughTheKernel runs every attack as root, through the resource manager
// of a real kernel. Where the power has to be off in between, it is: that of the whole
// machine, and nobody is told.
func TestAttacksThroughTheKernel(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{Limit: 10 * time.Minute})
		return
	}
	atOnce := slices.DeleteFunc(attacks(), func(a attack) bool { return a.after != nil })
	cut := slices.DeleteFunc(attacks(), func(a attack) bool { return a.after == nil })
	if vm.Boot() == 0 {
		t.Run("what is left would show", func(t *testing.T) { leftShows(t, kernelTPM{}) })
		for _, a := range atOnce {
			t.Run(a.name, func(t *testing.T) {
				leaving(t)
				a.do(newVictim(t, kernelTPM{}))
			})
		}
		for _, a := range cut {
			t.Run(a.name+", until the power is cut", func(t *testing.T) {
				v := newVictim(t, kernelTPM{})
				a.do(v)
				v.keep(a.name)
			})
		}
		vm.CutPower(t)
	}
	for _, a := range cut {
		t.Run(a.name+", after the power was cut", func(t *testing.T) {
			v := keptVictim(t, a.name)
			own := v.generation().index.Handle
			leaving(t, slices.DeleteFunc(indices(t, v.chip), func(h tpm2.TPMHandle) bool { return h == own })...)
			a.after(v)
		})
	}
}

// leaving has the test undefine what it leaves at our places, but for others, and
// checks that this is all that it leaves in the chip.
func leaving(t *testing.T, others ...tpm2.TPMHandle) {
	t.Cleanup(func() {
		conn := must1[Conn](t)(kernelTPM{}.Opener()(context.Background())) // Clean-up has no t.Context.
		for _, h := range indices(t, kernelTPM{}) {
			if slices.Contains(others, h) {
				continue
			}
			public := must1[*tpm2.NVReadPublicResponse](t)(tpm2.NVReadPublic{NVIndex: h}.Execute(conn))
			_, err := tpm2.NVUndefineSpace{
				AuthHandle: owner(), NVIndex: tpm2.NamedHandle{Handle: h, Name: public.NVName},
			}.Execute(conn)
			must(t, err)
		}
		must(t, conn.Close())
		clean(t, kernelTPM{}, others...)
	})
}

// survivor is what of a victim the disk would have.
type survivor struct {
	Ledger      []byte
	Bound, Free []byte // key handles
}

// keep puts the victim where the power cut does not reach.
func (v *victim) keep(name string) {
	v.Helper()
	b := must1[[]byte](v.T)(json.Marshal(survivor{
		Ledger: must1[[]byte](v.T)(v.ledger.Load()), Bound: v.bound.Handle, Free: v.free.Handle,
	}))
	must(v.T, os.WriteFile(filepath.Join(vm.Kept(), name), b, 0o600))
}

// keptVictim opens what was kept, as a daemon that starts does.
func keptVictim(t *testing.T, name string) *victim {
	t.Helper()
	var s survivor
	must(t, json.Unmarshal(must1[[]byte](t)(os.ReadFile(filepath.Join(vm.Kept(), name))), &s))
	v := &victim{T: t, chip: kernelTPM{}, ledger: &memory{saved: [][]byte{s.Ledger}}}
	v.Machine = must1[*Machine](t)(Open(t.Context(), v.chip.Opener(), v.ledger))
	key := func(binding authenticator.Binding, handle []byte) *authenticator.Key {
		spec := authenticator.KeySpec{Kind: authenticator.SigningKey, Binding: binding, RPIDHash: rpA}
		return &authenticator.Key{KeySpec: spec, Handle: handle}
	}
	v.bound, v.free = key(authenticator.PINBound, s.Bound), key(authenticator.PresenceOnly, s.Free)
	return v
}
