package main

import (
	"context"
	"log/slog"
	"os"
	"slices"

	"github.com/localpasskey/localpasskey/internal/cli"
	"github.com/localpasskey/localpasskey/internal/local/native"
	"github.com/localpasskey/localpasskey/internal/maccheck"
	"github.com/localpasskey/localpasskey/internal/places"
)

// launch runs the command line with an authenticator of its own: there is no daemon
// on a Mac, and the Secure Enclave is every program's.
func launch(ctx context.Context, program cli.Program, args []string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if len(args) > 0 && args[0] == "doctor" {
		return maccheck.Run(ctx, os.Stdout, slices.Contains(args[1:], "--finger"))
	}
	config, err := native.Config(places.Environment(os.Getenv).StoreOnMac(), version, log)
	if err != nil {
		log.ErrorContext(ctx, "this macOS lacks what is needed", "cause", err)
		return 1
	}
	return onMac(ctx, program, config, args)
}
