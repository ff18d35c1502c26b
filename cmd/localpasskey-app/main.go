//go:build darwin

// Command localpasskey-app is the executable of LocalPasskey.app: it brings the
// credential provider along, keeps what macOS offers in step, and lists and deletes.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"time"

	"github.com/localpasskey/localpasskey/internal/autofill"
)

// group is the app group, set when the program is linked (see packaging/macos).
var group = "" //nolint:gochecknoglobals // Linking sets variables only.

// patience is how long macOS may take to answer before the window opens.
const patience = 15 * time.Second

// The main goroutine must keep the process's first thread: windows belong to it, and
// only init runs on it for certain.
func init() { runtime.LockOSThread() } //nolint:gochecknoinits // The one exception: see above.

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	parts, err := autofill.Open(group, log)
	if err != nil {
		log.ErrorContext(ctx, "LocalPasskey cannot run", "cause", err)
		return 1
	}
	if len(args) > 0 {
		return autofill.Commands{Provider: parts.Provider, Folder: parts.Folder, In: os.Stdin, Out: os.Stdout, Err: os.Stderr}.Run(ctx, args)
	}
	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all, err := parts.Provider.Passkeys(short)
	if err == nil {
		err = parts.Provider.Refresh(short)
	}
	parts.Greet(autofill.Welcome(len(all), err))
	if err != nil {
		return 1
	}
	return 0
}
