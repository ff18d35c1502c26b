//go:build e2e && linux

package authenticator_test

import (
	"crypto/rand"
	"os"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/ctaptest/hidtest"
	"github.com/localpasskey/localpasskey/internal/tpm/node"
	"github.com/localpasskey/localpasskey/internal/uhid"
	"github.com/localpasskey/localpasskey/test/vm"
)

// The contract once more, through a kernel on both sides: the platform opens a hidraw
// node, and the keys are behind the TPM's resource manager.
func TestContractOverTheKernel(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{})
		return
	}
	open := node.Open("/dev/tpmrm0")
	ctaptest.Run(t, func(t *testing.T) ctaptest.Device {
		s := newStackAt(t, open)
		d, err := uhid.Create("/dev/uhid", uhid.Info{Name: "contract", Unique: rand.Text()})
		check(t, err)
		node, err := d.Node(t.Context())
		check(t, err)
		serve(t, s, d)
		return ctaptest.Device{
			Open: func(t *testing.T) ctap.Authenticator {
				file, err := os.OpenFile(node, os.O_RDWR, 0)
				check(t, err)
				t.Cleanup(func() { _ = file.Close() }) // of a device that goes with the test
				channel, err := hidtest.NewHID(hidtest.Hidraw{File: file})
				check(t, err)
				return ctap.NewClient(channel)
			},
			Person:     s.person,
			PowerCycle: func(t *testing.T) { check(t, s.PowerCycle()) },
		}
	})
}
