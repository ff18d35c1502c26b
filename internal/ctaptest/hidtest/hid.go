package hidtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// HIDConn is the platform's end of a HID device: reports of 64 bytes.
type HIDConn interface {
	ReadReport() ([]byte, error)
	WriteReport(report []byte) error
}

// HID is the platform's side of CTAPHID on one channel (CTAP 2.3 §11.2), written
// apart from the device's side so that each checks the other.
type HID struct {
	// OnProgress, if set before the first Exchange, is told of every keep-alive.
	OnProgress func(ctap.Progress)

	conn    HIDConn
	reports chan []byte
	failed  error // set before reports is closed
	channel [4]byte

	capabilities byte
	mu           sync.Mutex
}

var _ ctap.Exchanger = (*HID)(nil)

// NewHID gets a channel. It goes on reading conn until that fails.
func NewHID(conn HIDConn) (*HID, error) {
	h := &HID{conn: conn, reports: make(chan []byte, 1024), channel: [4]byte{0xff, 0xff, 0xff, 0xff}}
	go h.read()
	var nonce [8]byte
	_, _ = rand.Read(nonce[:])
	if err := h.write(0x86, nonce[:]); err != nil {
		return nil, err
	}
	for {
		cmd, data, err := h.message()
		switch {
		case err != nil:
			return nil, err
		case cmd == 0x86 && len(data) == 17 && bytes.Equal(data[:8], nonce[:]):
			copy(h.channel[:], data[8:12])
			h.capabilities = data[16]
			return h, nil
		}
	}
}

// Exchange sends a CTAP2 request. When ctx ends it sends CTAPHID_CANCEL and gives
// the answer to that.
func (h *HID) Exchange(ctx context.Context, request []byte) ([]byte, error) {
	return h.exchange(ctx, 0x90, request)
}

// Message is Exchange for a raw U2F request.
func (h *HID) Message(ctx context.Context, request []byte) ([]byte, error) {
	return h.exchange(ctx, 0x83, request)
}

// Ping sends CTAPHID_PING and gives what comes back.
func (h *HID) Ping(ctx context.Context, data []byte) ([]byte, error) {
	return h.exchange(ctx, 0x81, data)
}

// Capabilities are the flags that CTAPHID_INIT answered with.
func (h *HID) Capabilities() byte { return h.capabilities }

func (h *HID) exchange(ctx context.Context, command byte, request []byte) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.write(command, request); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = h.write(0x91, nil) }) // if it fails, reading does too
	defer stop()
	for {
		cmd, data, err := h.message()
		switch {
		case err != nil:
			return nil, err
		case cmd == command:
			return data, nil
		case cmd == 0xbb && len(data) == 1:
			if h.OnProgress != nil {
				h.OnProgress(ctap.Progress(data[0]))
			}
		case cmd == 0xbf && len(data) == 1:
			return nil, fmt.Errorf("CTAPHID_ERROR: %w", ctap.Status(data[0]))
		default:
			return nil, fmt.Errorf("command %#x in answer to a request", cmd)
		}
	}
}

func (h *HID) read() {
	defer close(h.reports)
	for {
		r, err := h.conn.ReadReport()
		if err != nil {
			h.failed = err
			return
		}
		h.reports <- bytes.Clone(r)
	}
}

func (h *HID) write(cmd byte, data []byte) error {
	head := binary.BigEndian.AppendUint16(append(h.channel[:], cmd), uint16(len(data))) //nolint:gosec // tests keep to the maximum
	for seq := byte(0); ; seq++ {
		report := make([]byte, 64)
		data = data[copy(report[copy(report, head):], data):]
		if err := h.conn.WriteReport(report); err != nil || len(data) == 0 {
			return err
		}
		head = append(h.channel[:], seq)
	}
}

// message waits for a whole message on this channel.
func (h *HID) message() (cmd byte, data []byte, err error) {
	r, err := h.next()
	if err != nil {
		return 0, nil, err
	}
	if r[4]&0x80 == 0 {
		return 0, nil, errors.New("a continuation of nothing")
	}
	cmd, length := r[4], int(binary.BigEndian.Uint16(r[5:]))
	data = append(data, r[7:]...)
	for seq := byte(0); len(data) < length; seq++ {
		if r, err = h.next(); err != nil {
			return 0, nil, err
		}
		if r[4] != seq {
			return 0, nil, fmt.Errorf("report %d where %d was to come", r[4], seq)
		}
		data = append(data, r[5:]...)
	}
	for _, b := range data[length:] {
		if b != 0 {
			return 0, nil, errors.New("padding that is not zero")
		}
	}
	return cmd, data[:length], nil
}

// next waits for a report on this channel.
func (h *HID) next() ([]byte, error) {
	for r := range h.reports {
		switch {
		case len(r) != 64:
			return nil, fmt.Errorf("a report of %d bytes", len(r))
		case bytes.Equal(r[:4], h.channel[:]):
			return r, nil
		}
	}
	return nil, h.failed
}
