//go:build e2e && linux

package clients

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	fprintService = "net.reactivated.Fprint"
	fprintDevice  = fprintService + ".Device"
	// reader is the socket of libfprint's virtual reader: what is written there is laid on it.
	reader = "/run/virtual-reader"
)

// lay lays a finger on the reader, once somebody uses it.
func lay(t *testing.T, finger string) {
	t.Helper()
	eventually(t, "the reader is in use", func() bool {
		conn, err := net.Dial("unix", reader)
		if err == nil {
			_, err = conn.Write([]byte("SCAN " + finger))
			_ = conn.Close()
		}
		return err == nil
	})
}

// startFprintd has fprintd find a virtual reader, and know a finger of the user's. It is on
// the system's bus, and asks the system's polkit.
func startFprintd(t *testing.T, u *user) {
	t.Helper()
	root(t, "systemd-run", "--quiet", "--unit=virtual-fprintd", "--setenv=FP_VIRTUAL_DEVICE="+reader, "/usr/libexec/fprintd", "-t")
	object := u.bus.Object(fprintService, "/net/reactivated/Fprint/Device/0")
	signals := make(chan *dbus.Signal, 100)
	u.bus.Signal(signals)
	t.Cleanup(func() { u.bus.RemoveSignal(signals) })
	check(t, u.bus.AddMatchSignal(dbus.WithMatchInterface(fprintDevice), dbus.WithMatchMember("EnrollStatus")))
	eventually(t, "fprintd is on the bus", func() bool {
		var owned bool
		return u.bus.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, fprintService).Store(&owned) == nil && owned
	})
	check(t, object.Call(fprintDevice+".Claim", 0, u.name).Err)
	check(t, object.Call(fprintDevice+".EnrollStart", 0, "right-index-finger").Err)
	for done := false; !done; {
		lay(t, "right")
		for next := false; !next; {
			select {
			case s := <-signals:
				next = s.Name == fprintDevice+".EnrollStatus"
				done = next && slices.Equal(s.Body, []any{"enroll-completed", true})
			case <-time.After(time.Minute):
				t.Fatal("no finger is enrolled")
			}
		}
	}
	check(t, object.Call(fprintDevice+".EnrollStop", 0).Err)
	check(t, object.Call(fprintDevice+".Release", 0).Err)
}

// fingers: with the service's own confinement, the system's bus, polkit and our rule, a
// finger stands for the PIN once that was typed, and does not after the screen was locked.
func fingers(t *testing.T, u *user) {
	startFprintd(t, u)
	shown := func() string {
		text, _ := os.ReadFile(filepath.Join(u.prompt(), "shown")) // nothing yet is nothing
		return string(text)
	}
	answer := func(answers ...string) {
		_ = os.Remove(filepath.Join(u.prompt(), "shown"))
		u.answer(t, answers...)
	}
	defer answer("pin " + machinePIN)
	says := func(want string) {
		t.Helper()
		eventually(t, "doctor says: "+want, func() bool {
			out, _ := u.command(t, "localpasskey", "doctor").Output() // other lines are of no interest here
			return strings.Contains(string(out), want)
		})
	}
	key := func(name string) []string {
		return []string{"-q", "-t", "ecdsa-sk", "-N", "", "-f", filepath.Join(u.home, name)}
	}
	u.run(t, machinePIN+"\n", "localpasskey", "config", "fingerprint", "on", "--pin-stdin")
	says("fingers of yours that fprintd knows: 1; the PIN is wanted once first")
	byPIN := func(name string) {
		t.Helper()
		answer("pin " + machinePIN)
		if out, err := u.command(t, "ssh-keygen", key(name)...).CombinedOutput(); err != nil || strings.Contains(shown(), "fingerprint reader") {
			t.Errorf("%s, by PIN: %v\n%s\nshown: %s", name, err, out, shown())
		}
		says("a finger does now")
	}
	byPIN("typed")
	answer("hold")
	touched := u.command(t, "ssh-keygen", key("touched")...)
	check(t, touched.Start())
	eventually(t, "a dialog that tells of the reader", func() bool {
		return strings.Contains(shown(), "Touch the fingerprint reader, or type the PIN") && strings.Contains(shown(), "GETPIN")
	})
	lay(t, "left")
	time.Sleep(time.Second)
	lay(t, "right")
	if err := touched.Wait(); err != nil {
		t.Errorf("by finger: %v", err)
	}
	node := u.node(t)
	u.session(t, "SetLockedHint", true)
	u.withdrawn(t, node)
	u.session(t, "SetLockedHint", false)
	u.node(t)
	says("the PIN is wanted once first")
	byPIN("again")
	u.run(t, machinePIN+"\n", "localpasskey", "config", "fingerprint", "off", "--pin-stdin")
	root(t, "systemctl", "stop", "virtual-fprintd.service")
}
