package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cli"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/local"
	"github.com/localpasskey/localpasskey/internal/maccheck"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/touchid"
)

// launch runs the command line with an authenticator of its own: there is no daemon
// on a Mac, and the Secure Enclave is every program's.
func launch(ctx context.Context, program cli.Program, args []string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if len(args) > 0 && args[0] == "doctor" {
		return maccheck.Run(ctx, os.Stdout, slices.Contains(args[1:], "--finger"))
	}
	lib, err := macos.Load("Security", "LocalAuthentication")
	if err != nil {
		log.ErrorContext(ctx, "this macOS lacks what is needed", "cause", err)
		return 1
	}
	config := local.Config{
		StorePath: below(os.Getenv("HOME"), "Library", "Application Support", "LocalPasskey", filepath.Base(program.Store)),
		Security:  enclave.Native(lib),
		Person: func(p enclave.Protection) (authenticator.User, func() bool) {
			sensor := touchid.Native{Lib: lib, Password: p == enclave.UserPresence}
			return touchid.User{Sensor: sensor}, func() bool { return sensor.Available() == nil }
		},
		Version: version, Log: log,
	}
	return onMac(ctx, program, config, args)
}
