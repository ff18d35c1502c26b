package main

import (
	"context"
	"log/slog"
	"os"
	"runtime"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/local"
	"github.com/localpasskey/localpasskey/internal/local/native"
	"github.com/localpasskey/localpasskey/internal/macos/mainthread"
	"github.com/localpasskey/localpasskey/internal/page"
	"github.com/localpasskey/localpasskey/internal/places"
)

// macOS shows dialogs on the process's first thread, and only init runs on it for certain.
func init() { runtime.LockOSThread() } //nolint:gochecknoinits // The one exception: see above.

// dialer opens the authenticator in this program, for each question anew: there is no
// daemon on a Mac, and the store is open in one program at a time.
func dialer(main *mainthread.Thread, log *slog.Logger) func(ctx context.Context) (ctap.Authenticator, func() error, error) {
	return func(context.Context) (ctap.Authenticator, func() error, error) {
		config, err := native.Config(places.Environment(os.Getenv).StoreOnMac(), version, main, log)
		if err != nil {
			return nil, nil, err
		}
		l := local.New(config)
		caller := ctap.Caller{UID: os.Getuid(), PID: os.Getppid(), Door: ctap.DoorSocket}
		return page.Listen(l.Channel(caller)), l.Close, nil
	}
}
