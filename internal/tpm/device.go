package tpm

import (
	"context"

	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxtpm"
)

// Conn is one descriptor of the TPM's resource manager, /dev/tpmrm0. Closing it
// frees whatever was loaded through it.
type Conn = transport.TPMCloser

// Opener opens a Conn; every operation has its own.
type Opener func(ctx context.Context) (Conn, error)

// Device opens the resource manager at path, "/dev/tpmrm0". Its errors are
// *ctap.Problem.
func Device(path string) Opener {
	return func(ctx context.Context) (Conn, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		conn, err := linuxtpm.Open(path)
		if err != nil {
			return nil, noDevice(path, err)
		}
		return conn, nil
	}
}
