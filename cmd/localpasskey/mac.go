package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/localpasskey/localpasskey/internal/cli"
	"github.com/localpasskey/localpasskey/internal/cli/exit"
	"github.com/localpasskey/localpasskey/internal/cli/mac"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/local"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// onMac runs the command line with an authenticator in this program. check is the doctor's part.
func onMac(ctx context.Context, program cli.Program, config local.Config, check func(ctx context.Context, finger bool) int, args []string) int {
	authenticator := local.New(config)
	program.Mac = &mac.Mac{Check: check, SetUp: func(ctx context.Context, d mac.Demand) (string, error) {
		protection := protections()[d]
		err := authenticator.SetUp(ctx, protection)
		if p, ok := errors.AsType[*ctap.Problem](err); ok {
			err = &exit.Error{What: p.What, Hint: p.Hint, Code: exit.Failed}
		}
		return protection.String(), err
	}}
	code, err := within(ctx, authenticator, config, func(path string) int {
		program.Socket = path
		return program.Run(ctx, args)
	})
	if err != nil {
		fmt.Fprintf(program.Err, "localpasskey: %v\n", err)
		return max(code, 1)
	}
	return code
}

// protections are what can be demanded.
func protections() map[mac.Demand]enclave.Protection {
	return map[mac.Demand]enclave.Protection{
		mac.AnyFinger: enclave.BiometryAny, mac.CurrentFingers: enclave.BiometryCurrentSet, mac.Password: enclave.UserPresence,
	}
}

// within serves the authenticator at a socket of this program's own, in a directory
// that nobody else can enter, while run runs.
func within(ctx context.Context, authenticator *local.Local, config local.Config, run func(path string) int) (code int, err error) {
	dir, err := os.MkdirTemp("", "lpk-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "socket")
	listener, err := socket.Listen(path, 0o600) //nolint:contextcheck // It waits for nobody.
	if err != nil {
		return 1, err
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- socket.Serve(ctx, listener, authenticator, config.Log) }()
	code = run(path)
	cancel()
	return code, errors.Join(<-served, authenticator.Close())
}
