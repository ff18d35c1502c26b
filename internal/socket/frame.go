package socket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// kind is what a frame carries.
type kind byte

// Ours: the kinds of frames.
const (
	kindRequest  kind = 1
	kindResponse kind = 2
	kindCancel   kind = 3
	kindProgress kind = 4
	kindAttend   kind = 5
)

// Ours: sizes in bytes.
const (
	headerBytes      = 5
	maxRequestBytes  = 64 << 10
	maxResponseBytes = 1 << 20
)

// errFrame is a frame that neither side sends.
var errFrame = errors.New("not a frame of this protocol")

type frame struct {
	kind kind
	body []byte
}

// fits tells whether a frame of kind k may have n bytes.
func (k kind) fits(n uint32) bool {
	switch k {
	case kindRequest:
		return n <= maxRequestBytes
	case kindResponse:
		return n <= maxResponseBytes
	case kindCancel, kindAttend:
		return n == 0
	case kindProgress:
		return n == 1
	default:
		return false
	}
}

// readFrame reads the rest of a frame whose first byte is k.
func readFrame(k kind, r io.Reader) (frame, error) {
	var length [headerBytes - 1]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return frame{}, cutOff(err)
	}
	n := binary.BigEndian.Uint32(length[:])
	if !k.fits(n) {
		return frame{}, fmt.Errorf("kind %d, %d bytes: %w", k, n, errFrame)
	}
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r, int64(n)); err != nil {
		return frame{}, cutOff(err)
	}
	return frame{kind: k, body: body.Bytes()}, nil
}

// cutOff tells the end of the stream inside a frame from that between two.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func readKind(r io.Reader) (kind, error) {
	var b [1]byte
	_, err := io.ReadFull(r, b[:])
	return kind(b[0]), err
}

// encode gives the frame in one piece, so that one write sends it.
func (f frame) encode() []byte {
	out := make([]byte, 0, headerBytes+len(f.body))
	out = append(out, byte(f.kind))
	out = binary.BigEndian.AppendUint32(out, uint32(len(f.body))) //nolint:gosec // bounded by fits
	return append(out, f.body...)
}

func progressFrame(p ctap.Progress) frame { return frame{kind: kindProgress, body: []byte{byte(p)}} }

// responseFrame replaces a response that is too long by an error.
func responseFrame(response []byte) frame {
	if len(response) > maxResponseBytes {
		response = []byte{byte(ctap.Other)}
	}
	return frame{kind: kindResponse, body: response}
}
