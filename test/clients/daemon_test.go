//go:build e2e && linux

package clients

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/test/vm"
)

// TestDaemon follows the security key through its life: made by set-up, used by
// libfido2 with the PIN at our prompt, pulled, killed, suspended.
func TestDaemon(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{Programs: machinePrograms()})
		return
	}
	m := start(t)
	t.Run("set up", func(t *testing.T) {
		if s := m.status(t); s.Node != "" || s.Prompt != "" {
			t.Errorf("before set-up: %+v", s)
		}
		m.setUp(t)
		s := m.status(t)
		contains(t, succeed(t, "", nil, "fido2-token", "-L"), s.Node+": vendor=0xf1d0, product=0x0001")
	})
	t.Run("nobody to ask", func(t *testing.T) {
		c := client{node: m.status(t).Node, pin: machinePIN, dir: t.TempDir()}
		out, err := run(t, lines(digest("register"), "early.example", "alice", "YQ=="), c.enter(), "fido2-cred", "-M", c.node)
		if err == nil {
			t.Error("made a credential without asking")
		}
		contains(t, out, "FIDO_ERR_OPERATION_DENIED")
	})
	m.attend(t)
	c := client{node: m.status(t).Node, dir: t.TempDir()}
	t.Run("our prompt", func(t *testing.T) {
		m.answer(t, "pin "+machinePIN)
		c.ceremony(t, "-r")
		contains(t, m.shown(t), "Create a passkey for rp-r.example\n", "  account: alice\n", "programs can lie): fido2-cred ←", "3 tries left",
			"Sign in to rp-r.example\n", "programs can lie): fido2-assert ←")
		contains(t, m.localpasskey(t, "", "list"), "rp-r.example")
		contains(t, succeed(t, "", nil, "fido2-token", "-I", c.node), " uv", "uv retries: 3", "pin retries: 8")
	})
	t.Run("wrong, then right", func(t *testing.T) {
		m.answer(t, "pin 0000", "pin "+machinePIN)
		c.assert(t, c.kept, "-r")
		contains(t, m.shown(t), "SETERROR Wrong PIN.", "2 tries left")
	})
	t.Run("refused", func(t *testing.T) { m.refuses(t, &c) })
	t.Run("three wrong ones, reconnect", func(t *testing.T) { m.reconnects(t, &c) })
	t.Run("pulled while it asks", func(t *testing.T) {
		m.interrupted(t, &c, "localpasskey reconnect", func() { m.localpasskey(t, "", "reconnect") })
	})
	t.Run("the agent dies while it asks", func(t *testing.T) {
		m.interrupted(t, &c, "kill -9 agent", func() { m.agent.end(t, unix.SIGKILL) })
		m.attend(t)
	})
	t.Run("the daemon dies while it asks", func(t *testing.T) {
		m.interrupted(t, &c, "kill -9 daemon", func() { m.daemon.end(t, unix.SIGKILL) })
		eventually(t, "there is no node", func() bool { return !present(c.node) })
		m.boot(t)
		eventually(t, "the agent attends again", func() bool { return m.status(t).Prompt == "agent" })
		c.node = m.status(t).Node
		settle(t)
		m.answer(t, "pin "+machinePIN)
		c.assert(t, c.kept, "-r")
	})
	t.Run("ended", func(t *testing.T) {
		m.daemon.end(t, unix.SIGTERM)
		if present(c.node) {
			t.Errorf("%s is still there", c.node)
		}
	})
}

// refuses: a no ends the request with the right word, and the next one works.
func (m *machine) refuses(t *testing.T, c *client) {
	m.answer(t, "no")
	out, err := run(t, lines(digest("sign in"), c.kept.rp), nil, "fido2-assert", "-G", "-r", c.node)
	if err == nil {
		t.Error("signed in against a no")
	}
	contains(t, out, "FIDO_ERR_OPERATION_DENIED")
	m.answer(t, "pin "+machinePIN)
	c.assert(t, c.kept, "-r")
}

// reconnects: after three wrong PINs nothing but pulling it helps, which the command
// line does; programs find the same passkeys afterwards.
func (m *machine) reconnects(t *testing.T, c *client) {
	m.answer(t, "pin 0000")
	for range 2 { // with the wrong PINs, and with no more of them
		out, err := run(t, lines(digest("sign in"), c.kept.rp), nil, "fido2-assert", "-G", "-r", c.node)
		if err == nil {
			t.Error("signed in with a wrong PIN")
		}
		contains(t, out, "FIDO_ERR_PIN_REQUIRED")
	}
	typed := []line{{"Enter PIN for " + c.node + ": ", "0000"}}
	out, err := run(t, "", typed, "fido2-token", "-L", "-r", c.node)
	if err == nil {
		t.Error("a wrong PIN passed")
	}
	contains(t, out, "FIDO_ERR_PIN_AUTH_BLOCKED")
	if s := m.status(t); s.Retries != 5 {
		t.Errorf("%d tries are left", s.Retries)
	}
	m.localpasskey(t, "", "reconnect")
	c.node = m.status(t).Node
	settle(t)
	m.answer(t, "pin "+machinePIN)
	c.assert(t, c.kept, "-r")
	if s := m.status(t); s.Retries != 8 {
		t.Errorf("after the right one %d tries are left", s.Retries)
	}
}

// interrupted: something happens while a dialog is open. The dialog closes within 200 ms,
// the client gets an error and no signature.
func (m *machine) interrupted(t *testing.T, c *client, what string, happen func()) {
	t.Helper()
	m.shown(t)
	m.answer(t, "hold")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		out, err := run(t, lines(digest("sign in"), c.kept.rp), nil, "fido2-assert", "-G", "-r", c.node)
		if strings.Contains(out, c.kept.rp) && err == nil {
			err = errors.New("it got a signature")
		} else if err == nil {
			err = errors.New("it got no error")
		} else {
			err = nil
		}
		ended <- err
	}()
	m.asked(t)
	happen()
	began := time.Now()
	eventually(t, "the dialog closes", func() bool { return m.dialogs(t) == 0 })
	t.Logf("%s: the dialog closed after %s", what, time.Since(began).Round(time.Millisecond))
	select {
	case err := <-ended:
		check(t, err)
	case <-ctx.Done():
		t.Error("the client hangs")
	}
	if node := m.nodeNow(t); node != "" {
		c.node = node
		settle(t)
	}
	m.answer(t, "pin "+machinePIN)
}

// nodeNow is where the device is, "" while there is no daemon.
func (m *machine) nodeNow(t *testing.T) string {
	t.Helper()
	if m.daemon.ProcessState != nil {
		return ""
	}
	return m.status(t).Node
}
