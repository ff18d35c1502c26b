package tpm

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/google/go-tpm/tpm2"
)

// older is a chip that lacks TPM2_CreateLoaded, as some Intel PTT do: the command is
// not in its list, and is refused.
type older struct{ Conn }

// withoutCreateLoaded makes an older chip of the one behind open.
func withoutCreateLoaded(open Opener) Opener {
	return func(ctx context.Context) (Conn, error) {
		conn, err := open(ctx)
		if err != nil {
			return nil, err
		}
		return older{conn}, nil
	}
}

// smaller is a chip without P-384, as many are.
type smaller struct {
	Conn

	says tpm2.TPMRC
}

// withoutP384 makes a smaller chip of the one behind open, which says so when asked.
func withoutP384(says tpm2.TPMRC) func(open Opener) Opener {
	return func(open Opener) Opener {
		return func(ctx context.Context) (Conn, error) {
			conn, err := open(ctx)
			if err != nil {
				return nil, err
			}
			return smaller{conn, says}, nil
		}
	}
}

// refusesCurve is TPM_RC_CURVE for the first parameter (Part 2 §6.6.2: RC_P + RC_1).
const refusesCurve = tpm2.TPMRCCurve | 0x140

func (c smaller) Send(cmd []byte) ([]byte, error) {
	if tpm2.TPMCC(binary.BigEndian.Uint32(cmd[6:])) == tpm2.TPMCCTestParms {
		return answer(c.says), nil
	}
	return c.Conn.Send(cmd)
}

func (c older) Send(cmd []byte) ([]byte, error) {
	cc := tpm2.TPMCC(binary.BigEndian.Uint32(cmd[6:]))
	if cc == tpm2.TPMCCCreateLoaded {
		return answer(tpm2.TPMRCCommandCode), nil
	}
	if asked := cmd[10:]; cc == tpm2.TPMCCGetCapability &&
		binary.BigEndian.Uint32(asked) == uint32(tpm2.TPMCapCommands) &&
		binary.BigEndian.Uint32(asked[4:]) == uint32(tpm2.TPMCCCreateLoaded) {
		// The list begins with the next command that there is.
		cmd = bytes.Clone(cmd)
		binary.BigEndian.PutUint32(cmd[14:], uint32(tpm2.TPMCCCreateLoaded)+1)
	}
	return c.Conn.Send(cmd)
}
