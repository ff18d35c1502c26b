package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/ctaptest/hidtest"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// bus is where the daemon's device appears, in place of a kernel.
type bus struct {
	devices chan *device // those that have appeared
	failure error        // of the next ones
}

// device is one that programs can open.
type device struct {
	*hidtest.HIDNode

	node string
}

func (d *device) Node(context.Context) (string, error) { return d.node, nil }

func (b *bus) plug() (Device, error) {
	if b.failure != nil {
		return nil, b.failure
	}
	d := &device{HIDNode: hidtest.NewHIDNode(), node: fmt.Sprintf("/dev/hidraw%d", len(b.devices))}
	b.devices <- d
	return d, nil
}

// client opens the device that is there, as a browser does.
func (d *device) client(t *testing.T) ctap.Authenticator {
	t.Helper()
	channel, err := hidtest.NewHID(d.Open())
	check(t, err)
	return ctap.NewClient(channel)
}

// serve runs the daemon at a socket, with a bus for its device.
func (r *rig) serve() (b *bus, path string, stop func()) {
	r.Helper()
	b = &bus{devices: make(chan *device, 10)}
	check(r, r.d.Close())
	r.d = r.again(r.d.StorePath, r.d.OpenTPM)
	r.d.slot.plug = b.plug
	path = filepath.Join(r.TempDir(), "socket")
	l, err := socket.Listen(path, socketMode)
	check(r, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- r.d.Serve(ctx, l) }()
	ended := false
	stop = func() {
		if !ended {
			ended = true
			cancel()
			check(r, <-served)
		}
	}
	r.Cleanup(stop)
	return b, path, stop
}

// gone tells whether the device has been taken away.
func (d *device) gone() bool {
	_, err := d.ReadReport()
	return err != nil
}

// The device comes with the set-up and goes with the daemon; a daemon that is started
// on a store has it at once. What is registered through it is there on the socket.
func TestDeviceComesAndGoes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b, _, stop := r.serve()
	if s := r.status(); s.Node != "" || s.NodeProblem != nil || len(b.devices) != 0 {
		t.Errorf("before set-up there is %q, %v", s.Node, s.NodeProblem)
	}
	r.setup()
	r.setPIN()
	d := <-b.devices
	if s := r.status(); s.Node != d.node || s.Prompt != ctap.PromptTerminal {
		t.Errorf("status: %q, asks by %q", s.Node, s.Prompt)
	}
	check(t, register(t.Context(), d.client(t)))
	if asks := r.person.Asked(); len(asks) != 1 || asks[0].Caller.Node != d.node || asks[0].Caller.Door != ctap.DoorHID {
		t.Errorf("asked %+v", asks)
	}
	check(t, signIn(t.Context(), r.channel()))
	if _, err := r.channel().Vendor(t.Context(), ctap.CommandReconnect, nil); err != nil || !d.gone() {
		t.Errorf("reconnect: %v, and the device is gone: %t", err, d.gone())
	}
	d = <-b.devices
	check(t, signIn(t.Context(), d.client(t)))
	stop()
	if !d.gone() {
		t.Error("the daemon has ended, and the device has not")
	}
	check(t, r.d.cyclePower())
	if len(b.devices) != 0 {
		t.Error("a device came back after the daemon's end")
	}
	b, _, _ = r.serve()
	check(t, signIn(t.Context(), (<-b.devices).client(t)))
}

// Pulled while the person is asked: the question closes, nothing is made, and the next
// request works.
func TestDevicePulledWhileAsking(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b, _, _ := r.serve()
	r.setup()
	r.setPIN()
	d := <-b.devices
	r.person.SetTouch(ctaptest.Hold)
	result := make(chan error, 1)
	client := d.client(t)
	go func() { result <- register(t.Context(), client) }()
	<-r.person.Opened()
	check(t, r.d.cyclePower())
	if err := <-result; err == nil {
		t.Error("registered with a device that was pulled")
	}
	if s := r.status(); s.Passkeys != 0 || s.Node == "" {
		t.Errorf("status: %+v", s)
	}
	r.person.SetTouch(ctaptest.Auto)
	check(t, register(t.Context(), (<-b.devices).client(t)))
}

// A kernel without such devices, and one that takes the device away: the rest works,
// and the status says what to do.
func TestNoDevice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b, _, _ := r.serve()
	b.failure = &ctap.Problem{Status: ctap.Other, What: "no such module", Hint: "load it"}
	r.setup()
	r.setPIN()
	if s := r.status(); s.Problem != nil || s.Node != "" || s.NodeProblem == nil || s.NodeProblem.Hint != "load it" {
		t.Errorf("status: %+v", s)
	}
	check(t, register(t.Context(), r.channel()))
	b.failure = nil
	_, err := r.channel().Vendor(t.Context(), ctap.CommandReconnect, nil)
	check(t, err)
	d := <-b.devices
	check(t, d.Close())
	for deadline := time.Now().Add(10 * time.Second); r.status().NodeProblem == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody notices that the device is gone")
		}
	}
	if s := r.status(); s.Node != "" || !strings.Contains(s.NodeProblem.Hint, "reconnect") {
		t.Errorf("status: %q, %+v", s.Node, s.NodeProblem)
	}
	_, err = r.channel().Vendor(t.Context(), ctap.CommandReconnect, nil)
	check(t, err)
	check(t, signIn(t.Context(), (<-b.devices).client(t)))
}

// Waking up ends what was asked and permitted before, and leaves the rest.
func TestWakingUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() { watched <- afterSuspend(ctx, func() { t.Error("it was not asleep") }) }()
	cancel()
	if err := <-watched; err != nil {
		t.Error(err)
	}
	r := newRig(t)
	check(t, r.d.cyclePower())
	r.setup()
	r.setPIN()
	r.person.SetTouch(ctaptest.Hold)
	result := make(chan error, 1)
	go func() { result <- register(t.Context(), r.channel()) }()
	<-r.person.Opened()
	check(t, r.d.cyclePower())
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("what was asked before ended with %v", err)
	}
	r.person.SetTouch(ctaptest.Auto)
	check(t, register(t.Context(), r.channel()))
	check(t, r.d.Close())
	if err := r.d.cyclePower(); err == nil {
		t.Error("a closed daemon begins anew")
	}
	r.d = r.again(r.d.StorePath, r.d.OpenTPM)
}
