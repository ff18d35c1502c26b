package authenticator_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaphid"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/ctaptest/hidtest"
)

// plug makes s a HID device until the test ends.
func plug(t *testing.T, s *stack) *hidtest.HIDNode {
	t.Helper()
	n := hidtest.NewHIDNode()
	serve(t, s, n)
	return n
}

// device is one that can be pulled.
type device interface {
	ctaphid.Conn
	Close() error
}

// serve answers the device's reports until the test ends.
func serve(t *testing.T, s *stack, n device) {
	t.Helper()
	ctx, unplug := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- ctaphid.Serve(ctx, n, func() ctap.Authenticator { return s.Channel(ctap.DoorHID) }, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() {
		unplug()
		check(t, <-served)
		check(t, n.Close())
	})
}

// The contract once more, with every message cut into reports of 64 bytes.
func TestContractOverCTAPHID(t *testing.T) {
	ctaptest.Run(t, func(t *testing.T) ctaptest.Device {
		s := newStack(t)
		n := plug(t, s)
		return ctaptest.Device{
			Open: func(t *testing.T) ctap.Authenticator {
				channel, err := hidtest.NewHID(n.Open())
				check(t, err)
				return ctap.NewClient(channel)
			},
			Person:     s.person,
			PowerCycle: func(t *testing.T) { check(t, s.PowerCycle()) },
		}
	})
}
