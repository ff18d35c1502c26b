package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/local"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/page"
	"github.com/localpasskey/localpasskey/internal/touchid"
)

// dialer opens the authenticator in this program, for each question anew: there is no
// daemon on a Mac, and the store is open in one program at a time.
func dialer(log *slog.Logger) func(ctx context.Context) (ctap.Authenticator, func() error, error) {
	return func(context.Context) (ctap.Authenticator, func() error, error) {
		lib, err := macos.Load("Security", "LocalAuthentication")
		if err != nil {
			return nil, nil, err
		}
		l := local.New(local.Config{
			StorePath: below(os.Getenv("HOME"), "Library", "Application Support", "LocalPasskey", "passkeys.db"),
			Security:  enclave.Native(lib),
			Person: func(p enclave.Protection) (authenticator.User, func() bool) {
				sensor := touchid.Native{Lib: lib, Password: p == enclave.UserPresence}
				return touchid.User{Sensor: sensor}, func() bool { return sensor.Available() == nil }
			},
			Version: version, Log: log,
		})
		caller := ctap.Caller{UID: os.Getuid(), PID: os.Getppid(), Door: ctap.DoorSocket}
		return page.Listen(l.Channel(caller)), l.Close, nil
	}
}
