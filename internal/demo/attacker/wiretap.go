package attacker

import (
	"context"
	"encoding/binary"
	"sync"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Opener opens a connection to a TPM.
type Opener = func(context.Context) (transport.TPMCloser, error)

// Wiretap passes everything on and keeps the last key that was loaded: what root
// sees of the daemon's commands to the TPM.
type Wiretap struct {
	Tapped Opener

	mu   sync.Mutex
	last WrappedKey
}

// WrappedKey is a key as it travels to the TPM: private is encrypted by the parent,
// public is a TPMT_PUBLIC.
type WrappedKey struct{ private, public []byte }

// Open opens a connection that is listened to: an Opener.
func (w *Wiretap) Open(ctx context.Context) (transport.TPMCloser, error) {
	conn, err := w.Tapped(ctx)
	if err != nil {
		return nil, err
	}
	return tapped{TPMCloser: conn, tap: w}, nil
}

// Key is the last key that was loaded.
func (w *Wiretap) Key() WrappedKey {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

type tapped struct {
	transport.TPMCloser
	tap *Wiretap
}

// Send sends a command.
func (t tapped) Send(command []byte) ([]byte, error) {
	if key, ok := loads(command); ok {
		t.tap.mu.Lock()
		t.tap.last = key
		t.tap.mu.Unlock()
	}
	return t.TPMCloser.Send(command)
}

// loads reads the key out of a TPM2_Load (Part 3 §12.2): header 10 bytes, parent 4,
// authorizations behind their 32-bit size, TPM2B_PRIVATE, TPM2B_PUBLIC.
func loads(command []byte) (WrappedKey, bool) {
	const header, parent = 10, 4
	if len(command) < header+parent+4 || tpm2.TPMCC(binary.BigEndian.Uint32(command[6:])) != tpm2.TPMCCLoad {
		return WrappedKey{}, false
	}
	rest := command[header+parent:]
	size := uint64(binary.BigEndian.Uint32(rest))
	if uint64(len(rest)) < 4+size {
		return WrappedKey{}, false
	}
	private, rest, ok := sized(rest[4+size:])
	if !ok {
		return WrappedKey{}, false
	}
	public, rest, ok := sized(rest)
	return WrappedKey{private: private, public: public}, ok && len(rest) == 0
}

// sized splits one TPM2B off, in memory of its own.
func sized(b []byte) (content, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b)-2 < n {
		return nil, nil, false
	}
	return append([]byte(nil), b[2:2+n]...), b[2+n:], true
}
