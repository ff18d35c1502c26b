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
	"github.com/localpasskey/localpasskey/test/vm"
)

const year = 365 * 24 * time.Hour

// TestClockJumps sets the machine's clock, by hours and by years, while a question is
// open and a token is alive. Neither ends by that, nor lives any longer; passkeys work,
// and the audit trail stays whole and tells what the clock said.
func TestClockJumps(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{Programs: machinePrograms()})
		return
	}
	m := start(t)
	m.setUp(t)
	a := &abuser{machine: m, person: m.attendInProcess(t), node: m.status(t).Node}
	var err error
	a.id, err = register(t.Context(), ctap.NewClient(dial(t, m)), "alice")
	check(t, err)
	jumps := []time.Duration{time.Hour, -3 * time.Hour, 5 * year, -20 * year, 15*year + 2*time.Hour}
	for _, jump := range jumps {
		t.Run(jump.String(), func(t *testing.T) { a.lives(t, jump) })
	}
	t.Run("a token's end", func(t *testing.T) {
		c := ctap.NewClient(dial(t, m))
		token := m.listingToken(t, c)
		setClock(t, -10*year)
		time.Sleep(31 * time.Second) // a token that nobody uses ends after 30 s
		if err := listed(t, c, token); !errors.Is(err, ctap.PINAuthInvalid) {
			t.Errorf("got %v, want PIN_AUTH_INVALID", err)
		}
		setClock(t, 10*year)
		a.works(t)
	})
	t.Logf("figures: clock jumps | %d | %d | 0 | 0 | OK %d, PIN_AUTH_INVALID 1", len(jumps)+2, 1+a.count, a.count)
}

// lives has the clock jump while a question is open and a token is alive.
func (a *abuser) lives(t *testing.T, jump time.Duration) {
	c := ctap.NewClient(dial(t, a.machine))
	token := a.listingToken(t, c)
	a.person.SetDelay(500 * time.Millisecond)
	defer a.person.SetDelay(0)
	question := a.ask(t.Context(), t, channel(t, a.node), ctaptest.Auto)
	setClock(t, jump)
	if err := <-question; err != nil {
		t.Errorf("what was asked before the clock was set: %v", err)
	}
	if err := listed(t, c, token); err != nil {
		t.Errorf("a token of before: %v", err)
	}
	a.works(t)
	contains(t, a.localpasskey(t, "", "audit", "verify"), "whole")
	last := strings.Fields(a.localpasskey(t, "", "audit", "list", "--last", "1"))
	if today := time.Now().Format(time.DateOnly); len(last) == 0 || !strings.Contains(strings.Join(last, " "), today) {
		t.Errorf("the last entry is %v, today is %s", last, today)
	}
	if s := a.status(t); s.Passkeys != 1 || s.Retries != 8 || s.Node != a.node {
		t.Errorf("status %+v", s)
	}
}

// setClock sets the machine's clock forward, or back.
func setClock(t *testing.T, by time.Duration) {
	t.Helper()
	var now unix.Timespec
	check(t, unix.ClockGettime(unix.CLOCK_REALTIME, &now))
	to := unix.NsecToTimespec(now.Nano() + by.Nanoseconds())
	check(t, unix.ClockSettime(unix.CLOCK_REALTIME, &to))
}

func (m *machine) listingToken(t *testing.T, c ctap.Authenticator) pinuv.Token {
	t.Helper()
	token, err := ctap.Platform{Authenticator: c, Protocol: pinuv.Two}.TokenWithPIN(
		t.Context(), secret.Of([]byte(machinePIN)), ctap.PermissionCredentialManagement, "")
	check(t, err)
	return token
}

func listed(t *testing.T, c ctap.Authenticator, token pinuv.Token) error {
	t.Helper()
	_, err := ctap.ManageCredentials(t.Context(), c, token, ctap.GetCredsMetadata, nil)
	return err
}
