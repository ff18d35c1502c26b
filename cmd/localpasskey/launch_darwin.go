package main

import (
	"context"
	"log/slog"
	"os"
	"runtime"

	"github.com/localpasskey/localpasskey/internal/cli"
	"github.com/localpasskey/localpasskey/internal/local/native"
	"github.com/localpasskey/localpasskey/internal/maccheck"
	"github.com/localpasskey/localpasskey/internal/macos/mainthread"
	"github.com/localpasskey/localpasskey/internal/places"
)

// macOS shows dialogs on the process's first thread, and only init runs on it for certain.
func init() { runtime.LockOSThread() } //nolint:gochecknoinits // The one exception: see above.

// launch runs the command line with an authenticator of its own: there is no daemon
// on a Mac, and the Secure Enclave is every program's.
func launch(ctx context.Context, thread *mainthread.Thread, program cli.Program, args []string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	config, err := native.Config(places.Environment(os.Getenv).StoreOnMac(), version, thread, log)
	if err != nil && !(len(args) > 0 && args[0] == "doctor") { // who finds out what it is
		log.ErrorContext(ctx, "this macOS lacks what is needed", "cause", err)
		return 1
	}
	return onMac(ctx, program, config, func(ctx context.Context, finger bool) int {
		return maccheck.Run(ctx, thread, os.Stdout, finger)
	}, args)
}
