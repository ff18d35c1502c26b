//go:build e2e && linux

package clients

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/ctaptest/hidtest"
	"github.com/localpasskey/localpasskey/internal/tpm/node"
	"github.com/localpasskey/localpasskey/test/vm"
)

// TestAbuse treats the node and the TPM as programs and kernels do that mean no harm
// and do some all the same. After each the next request works.
func TestAbuse(t *testing.T) {
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
	for _, abuse := range []struct {
		name string
		do   func(*testing.T)
	}{
		{"two clients at once", a.twoAtOnce},
		{"a client that dies mid message", a.diesMidMessage},
		{"a client that dies while it asks", a.diesWhileItAsks},
		{"cancel at any moment", a.cancels},
		{"a busy TPM", a.busyTPM},
		{"a TPM that goes while it asks", a.lostTPM},
	} {
		t.Run(abuse.name, func(t *testing.T) {
			abuse.do(t)
			a.works(t)
		})
	}
}

// abuser has one passkey.
type abuser struct {
	*machine

	person *ctaptest.Person
	node   string
	id     []byte
	count  uint32 // of the last signature
}

// works signs in once more, with a count that has grown.
func (a *abuser) works(t *testing.T) {
	t.Helper()
	a.person.SetTouch(ctaptest.Auto)
	count, err := signIn(t.Context(), ctap.NewClient(channel(t, a.node)), a.id)
	if err != nil || count <= a.count {
		t.Errorf("the next sign-in: %v, count %d after %d", err, count, a.count)
	}
	a.count = count
}

// ask begins a sign-in that the person answers by touch, and waits for the question.
func (a *abuser) ask(ctx context.Context, t *testing.T, c *hidtest.HID, touch ctaptest.Touch) <-chan error {
	t.Helper()
	a.person.SetTouch(touch)
	for len(a.person.Opened()) > 0 {
		<-a.person.Opened()
	}
	result := make(chan error, 1)
	go func() {
		_, err := signIn(ctx, ctap.NewClient(c), a.id)
		result <- err
	}()
	<-a.person.Opened()
	return result
}

// While one is asked for the other is told that the device is busy, at once; it works
// when the first one has been cancelled.
func (a *abuser) twoAtOnce(t *testing.T) {
	first, second := channel(t, a.node), channel(t, a.node)
	ctx, cancel := context.WithCancel(t.Context())
	result := a.ask(ctx, t, first, ctaptest.Hold)
	for range 3 {
		if _, err := ctap.NewClient(second).GetInfo(t.Context()); !errors.Is(err, ctap.ChannelBusy) {
			t.Errorf("the second client: %v", err)
		}
	}
	third := channel(t, a.node) // INIT works at any time
	cancel()
	if err := <-result; !errors.Is(err, ctap.KeepaliveCancel) {
		t.Errorf("the first client: %v", err)
	}
	for _, c := range []*hidtest.HID{second, third} {
		if _, err := ctap.NewClient(c).GetInfo(t.Context()); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
}

// init gets a channel by hand.
func initChannel(t *testing.T, h hidtest.Hidraw) []byte {
	t.Helper()
	report := make([]byte, 64)
	copy(report, []byte{0xff, 0xff, 0xff, 0xff, 0x86, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8})
	check(t, h.WriteReport(report))
	for {
		answer, err := h.ReadReport()
		check(t, err)
		if answer[4] == 0x86 && binary.BigEndian.Uint64(answer[7:]) == 0x0102030405060708 {
			return answer[15:19]
		}
	}
}

// Half a message holds others up for half a second, no longer.
func (a *abuser) diesMidMessage(t *testing.T) {
	dying := openNode(t, a.node)
	report := make([]byte, 64)
	copy(report, initChannel(t, dying))
	copy(report[4:], []byte{0x90, 0x04, 0x00, byte(ctap.CommandMakeCredential)}) // 1024 bytes are announced
	c := ctap.NewClient(channel(t, a.node))
	check(t, dying.WriteReport(report))
	check(t, dying.Close())
	deadline := time.Now().Add(patience)
	busy := 0
	for {
		_, err := c.GetInfo(t.Context())
		if err == nil {
			break
		}
		if busy++; !errors.Is(err, ctap.ChannelBusy) || time.Now().After(deadline) {
			t.Fatalf("the other client: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("busy for %d tries", busy)
}

// Whoever asked is gone and cannot cancel. While others have the node open nobody knows
// that; when nobody has, the question closes.
func (a *abuser) diesWhileItAsks(t *testing.T) {
	node := openNode(t, a.node)
	dying, err := hidtest.NewHID(node)
	check(t, err)
	a.ask(t.Context(), t, dying, ctaptest.Hold)
	other := openNode(t, a.node)
	c, err := hidtest.NewHID(other)
	check(t, err)
	check(t, node.Close())
	if _, err := ctap.NewClient(c).GetInfo(t.Context()); !errors.Is(err, ctap.ChannelBusy) {
		t.Errorf("while the question is open: %v", err)
	}
	check(t, other.Close())
	eventually(t, "the question closes", func() bool {
		again := openNode(t, a.node)
		defer again.Close()
		c, err := hidtest.NewHID(again)
		check(t, err)
		_, err = ctap.NewClient(c).GetInfo(t.Context())
		return err == nil
	})
}

// A cancel ends a request with KEEPALIVE_CANCEL or comes too late for it, whenever it
// comes; it is never answered itself.
func (a *abuser) cancels(t *testing.T) {
	c := channel(t, a.node)
	a.person.SetTouch(ctaptest.Auto)
	cancelled, done := 0, 0
	for delay := time.Duration(0); delay < 300*time.Millisecond; delay += 12 * time.Millisecond {
		ctx, cancel := context.WithTimeout(t.Context(), delay)
		count, err := signIn(ctx, ctap.NewClient(c), a.id)
		cancel()
		switch {
		case err == nil && count > a.count:
			a.count = count
			done++
		case errors.Is(err, ctap.KeepaliveCancel):
			cancelled++
		default:
			t.Errorf("cancelled after %s: %v, count %d after %d", delay, err, count, a.count)
		}
	}
	t.Logf("%d cancelled, %d came too late", cancelled, done)
	if cancelled == 0 {
		t.Error("nothing was cancelled")
	}
}

// busyTPM signs in while other programs keep the TPM busy.
func (a *abuser) busyTPM(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	for range 3 {
		others.Go(func() {
			for ctx.Err() == nil {
				conn, err := node.Open("/dev/tpmrm0")(ctx)
				if err != nil {
					continue
				}
				_, _ = tpm2.GetRandom{BytesRequested: 16}.Execute(conn)
				_ = conn.Close()
			}
		})
	}
	for range 5 {
		a.works(t)
	}
	stop()
	others.Wait()
}

// lostTPM takes the driver from the TPM while a question is open, and gives it back.
func (a *abuser) lostTPM(t *testing.T) {
	device, err := filepath.EvalSymlinks("/sys/class/tpm/tpm0/device")
	check(t, err)
	driver, err := filepath.EvalSymlinks(filepath.Join(device, "driver"))
	check(t, err)
	name := []byte(filepath.Base(device))
	a.person.SetDelay(5 * time.Second)
	defer a.person.SetDelay(0)
	result := a.ask(t.Context(), t, channel(t, a.node), ctaptest.Auto)
	check(t, os.WriteFile(filepath.Join(driver, "unbind"), name, 0))
	eventually(t, "the TPM is gone", func() bool { return !present("/dev/tpmrm0") })
	out, err := run(t, "", nil, vm.Program(productProgram), "status", "--socket", a.socket)
	if err == nil {
		t.Error("all is well without a TPM")
	}
	contains(t, out, "hint: ")
	if err := <-result; !errors.Is(err, ctap.Other) {
		t.Errorf("a sign-in without a TPM: %v", err)
	}
	check(t, os.WriteFile(filepath.Join(driver, "bind"), name, 0))
	// The kernel's own users of the TPM (IMA) keep the old number, so that it has another now.
	eventually(t, "the TPM is back", func() bool { return present("/dev/tpmrm1") })
	check(t, os.Symlink("/dev/tpmrm1", "/dev/tpmrm0"))
}
