package nativemsg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxFrameBytes is the most that Chromium takes from a host; longer, and it closes the
// port. Ours for the other way.
const maxFrameBytes = 1 << 20

// lengthBytes is the length of a frame's length.
const lengthBytes = 4

// errFrame is the end of a stream that is not one of native messages.
var errFrame = errors.New("not a native message")

// readFrame reads one message. io.EOF is the end between two.
func readFrame(r io.Reader) ([]byte, error) {
	var head [lengthBytes]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	length := binary.NativeEndian.Uint32(head[:])
	if length == 0 || length > maxFrameBytes {
		return nil, fmt.Errorf("%w: %d bytes", errFrame, length)
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(length))) // memory grows with what arrives
	if err == nil && len(body) < int(length) {
		err = io.ErrUnexpectedEOF
	}
	return body, err
}

// writeFrame writes one message, at once.
func writeFrame(w io.Writer, body []byte) error {
	if len(body) > maxFrameBytes {
		return fmt.Errorf("%w: an answer of %d bytes", errFrame, len(body))
	}
	frame := binary.NativeEndian.AppendUint32(make([]byte, 0, lengthBytes+len(body)), uint32(len(body))) //nolint:gosec // Bounded above.
	_, err := w.Write(append(frame, body...))
	return err
}
