package authenticator_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaphid"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
)

// node is a HID device and all who have it open, as hidraw does it: what the
// device sends is copied to every reader.
type node struct {
	toDevice chan []byte
	gone     chan struct{}

	mu      sync.Mutex
	readers []*reader
}

type reader struct {
	node    *node
	reports chan []byte
}

func newNode() *node { return &node{toDevice: make(chan []byte), gone: make(chan struct{})} }

func (n *node) ReadReport() ([]byte, error) {
	select {
	case report := <-n.toDevice:
		return report, nil
	case <-n.gone:
		return nil, io.EOF
	}
}

func (n *node) WriteReport(report []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.readers {
		select {
		case r.reports <- slices.Clone(report):
		default:
			return errors.New("a reader does not read")
		}
	}
	return nil
}

func (n *node) open() *reader {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := &reader{node: n, reports: make(chan []byte, 4096)}
	n.readers = append(n.readers, r)
	return r
}

func (r *reader) ReadReport() ([]byte, error) {
	select {
	case report := <-r.reports:
		return report, nil
	case <-r.node.gone:
		return nil, io.EOF
	}
}

func (r *reader) WriteReport(report []byte) error {
	select {
	case r.node.toDevice <- report:
		return nil
	case <-r.node.gone:
		return io.EOF
	}
}

// plug makes s a HID device until the test ends.
func plug(t *testing.T, s *stack) *node {
	t.Helper()
	n := newNode()
	ctx, unplug := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- ctaphid.Serve(ctx, n, func() ctap.Authenticator { return s.Channel(ctap.DoorHID) }, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() {
		unplug()
		check(t, <-served)
		close(n.gone)
	})
	return n
}

// The contract once more, with every message cut into reports of 64 bytes.
func TestContractOverCTAPHID(t *testing.T) {
	ctaptest.Run(t, func(t *testing.T) ctaptest.Device {
		s := newStack(t)
		n := plug(t, s)
		return ctaptest.Device{
			Open: func(t *testing.T) ctap.Authenticator {
				channel, err := ctaptest.NewHID(n.open())
				check(t, err)
				return ctap.NewClient(channel)
			},
			Person:     s.person,
			PowerCycle: func(t *testing.T) { check(t, s.PowerCycle()) },
		}
	})
}
