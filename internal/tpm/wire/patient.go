package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Ours: how long to wait for a TPM that is busy. A discrete chip's self-test takes
// a second or two; somebody else's session is closed in less.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = 640 * time.Millisecond
	patience     = 10 * time.Second // the sum of all pauses for one command
)

// ErrBusy wraps the answer of a TPM that stayed busy for too long.
var ErrBusy = errors.New("the TPM is busy")

// Patient is t, except that it sends a command again, byte for byte, while the TPM
// answers that it was not able to begin, and gives up when ctx ends. It is for one
// operation.
func Patient(ctx context.Context, t transport.TPM) transport.TPM {
	return &patient{ctx: ctx, t: t}
}

type patient struct {
	ctx context.Context
	t   transport.TPM
}

// Send sends one command.
func (p *patient) Send(cmd []byte) ([]byte, error) {
	var waited time.Duration
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if err := p.ctx.Err(); err != nil {
			return nil, err
		}
		rsp, err := p.t.Send(cmd)
		if err != nil || len(rsp) < headerBytes {
			return rsp, err
		}
		rc := tpm2.TPMRC(binary.BigEndian.Uint32(rsp[6:]))
		if !busy(rc) {
			return rsp, nil
		}
		if waited >= patience {
			return nil, errors.Join(ErrBusy, rc)
		}
		waited += pause
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-p.ctx.Done():
			timer.Stop()
			return nil, p.ctx.Err()
		}
	}
}

// busy tells whether nothing has happened and the same command may do later: the
// TPM is testing itself, spares its NV memory, or has no room for one more object
// or session, which somebody will give back.
//
// The kernel's EBUSY is not among them. Its drivers give it too when the TPM has
// carried the command out and the answer cannot be read, and a PIN that is shown again
// with the nonce of before counts as a wrong one.
func busy(rc tpm2.TPMRC) bool {
	switch rc {
	case tpm2.TPMRCRetry, tpm2.TPMRCYielded, tpm2.TPMRCTesting, tpm2.TPMRCNVRate,
		tpm2.TPMRCObjectMemory, tpm2.TPMRCSessionMemory, tpm2.TPMRCMemory, tpm2.TPMRCSessionHandles:
		return true
	default:
		return false
	}
}
