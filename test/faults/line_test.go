//go:build linux

package faults

import (
	"context"
	"encoding/binary"
	"sync"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/tpm"
	"github.com/localpasskey/localpasskey/internal/tpm/node"
)

// line is the way from the daemon to its TPM.
type line struct {
	open tpm.Opener

	mu     sync.Mutex
	sent   int // commands
	last   tpm2.TPMCC
	gone   bool // the device
	meddle func(send func() ([]byte, error)) ([]byte, error)
}

// lined is one connection through it.
type lined struct {
	tpm.Conn
	line *line
}

func (l *line) Open(ctx context.Context) (tpm.Conn, error) {
	l.mu.Lock()
	gone := l.gone
	l.mu.Unlock()
	if gone {
		return node.Open("/dev/localpasskey-has-no-such-tpm")(ctx)
	}
	conn, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	return lined{conn, l}, nil
}

func (c lined) Send(command []byte) ([]byte, error) {
	c.line.mu.Lock()
	c.line.sent++
	c.line.last = tpm2.TPMCC(binary.BigEndian.Uint32(command[6:]))
	meddle := c.line.meddle
	c.line.mu.Unlock()
	send := func() ([]byte, error) { return c.Conn.Send(command) }
	if meddle == nil {
		return send()
	}
	return meddle(send)
}

// meddles puts f between the daemon and its TPM; nil takes it away, and brings the device back.
func (l *line) meddles(f func(send func() ([]byte, error)) ([]byte, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.meddle, l.gone = f, false
}

// goes makes the device vanish, until meddles.
func (l *line) goes() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
}

// command is the last that was sent.
func (l *line) command() tpm2.TPMCC {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

func (l *line) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}
