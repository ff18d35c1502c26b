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
	"github.com/localpasskey/localpasskey/internal/autofill/page"
	"github.com/localpasskey/localpasskey/internal/autofill/window"
	"github.com/localpasskey/localpasskey/internal/manager"
)

// group is the app group, and version the app's: set when the program is linked (see
// packaging/macos).
var (
	group   = ""        //nolint:gochecknoglobals // Linking sets variables only.
	version = "unknown" //nolint:gochecknoglobals // As above.
)

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
	parts, err := autofill.Open(group, log, "WebKit")
	if err != nil {
		log.ErrorContext(ctx, "LocalPasskey cannot run", "cause", err)
		return 1
	}
	shown := page.Backend{Provider: parts.Provider, Confirm: parts.Confirm, Version: version}
	commands := autofill.Commands{
		Provider: parts.Provider, Folder: parts.Folder, In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Manage: func(ctx context.Context, browser bool) error {
			if browser {
				return shown.Show(ctx, manager.Show)
			}
			return show(ctx, parts, shown, log)
		},
	}
	if len(args) > 0 {
		return commands.Run(ctx, args)
	}
	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all, err := parts.Provider.Passkeys(short)
	if err == nil {
		err = parts.Provider.Refresh(short)
	}
	choice := autofill.ShowPasskeys
	if autofill.Greets(len(all), err) {
		choice = parts.Greet(autofill.Welcome(len(all), err))
	}
	switch choice {
	case autofill.ShowPasskeys:
		return commands.Run(ctx, []string{"manage"})
	case autofill.OpenSettings:
		parts.OpenSettings()
	case autofill.Close:
	}
	return 0
}

// show shows the page in the app's window. macOS ends the process with it; a signal does too.
func show(ctx context.Context, parts *autofill.Parts, shown page.Backend, log *slog.Logger) error {
	handler, err := manager.Enclosed(shown, window.Origin)
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		os.Exit(1)
	}()
	return (&window.Window{
		Lib: parts.Lib, Handler: handler, Settings: func() { parts.AskForSettings() }, Log: log,
	}).Run(ctx)
}
