//go:build e2e && linux

package clients

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/node"
	"github.com/localpasskey/localpasskey/test/vm"
)

// TestSuspend suspends the machine to memory while a question is open and a token is
// alive. What was asked and permitted before is over when it wakes; the passkeys are as
// they were, and the device is there again.
func TestSuspend(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{Programs: machinePrograms(), Sleeps: true})
		return
	}
	m := start(t)
	m.setUp(t)
	a := &abuser{machine: m, person: m.attendInProcess(t), node: m.status(t).Node}
	var err error
	a.id, err = register(t.Context(), ctap.NewClient(channel(t, a.node)), "alice")
	check(t, err)
	a.works(t)
	t.Run("while it asks", func(t *testing.T) {
		question := a.ask(t.Context(), t, channel(t, a.node), ctaptest.Hold)
		began, logged := asleep(t), len(m.daemon.log(t))
		vm.Sleep(t, 3)
		if slept := asleep(t) - began; slept < time.Second {
			t.Errorf("slept for %s", slept)
		}
		if err := <-question; err == nil {
			t.Error("what was asked before the sleep was answered after it")
		}
		a.node = m.anew(t, logged)
		contains(t, m.daemon.log(t), "the machine has been asleep")
		a.works(t)
	})
	t.Run("a token of before", func(t *testing.T) {
		c := ctap.NewClient(dial(t, m))
		token, err := ctap.Platform{Authenticator: c, Protocol: pinuv.Two}.TokenWithPIN(
			t.Context(), secret.Of([]byte(machinePIN)), ctap.PermissionCredentialManagement, rpID)
		check(t, err)
		logged := len(m.daemon.log(t))
		vm.Sleep(t, 3)
		a.node = m.anew(t, logged)
		_, err = ctap.ManageCredentials(t.Context(), c, token, ctap.GetCredsMetadata, nil)
		if !errors.Is(err, ctap.PINAuthInvalid) {
			t.Errorf("got %v, want PIN_AUTH_INVALID", err)
		}
		a.works(t)
	})
	t.Run("the TPM", func(t *testing.T) {
		conn, err := node.Open("/dev/tpmrm0")(t.Context())
		check(t, err)
		check(t, conn.Close())
		if s := m.status(t); s.Passkeys != 1 || s.Retries != 8 {
			t.Errorf("status %+v", s)
		}
	})
}

// anew waits until the daemon has ended all that was before, which it says after so many
// bytes of its log, and gives the device's node. That it was asleep it says at once.
func (m *machine) anew(t *testing.T, logged int) (node string) {
	t.Helper()
	eventually(t, "the device is back", func() bool {
		return strings.Contains(m.daemon.log(t)[logged:], "programs find a security key")
	})
	eventually(t, "the status has the node", func() bool { node = m.status(t).Node; return node != "" })
	return node
}

// asleep is how long the machine has been suspended since it was started.
func asleep(t *testing.T) time.Duration {
	t.Helper()
	var boot, monotonic unix.Timespec
	check(t, unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot))
	check(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic))
	return time.Duration(boot.Nano() - monotonic.Nano())
}
