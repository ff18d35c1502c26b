//go:build !darwin

package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/macos/mainthread"
	"github.com/localpasskey/localpasskey/internal/places"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// dialer connects to the user's own daemon where one answers, or else to the system's, as
// the command line does.
func dialer(*mainthread.Thread, *slog.Logger) func(ctx context.Context) (ctap.Authenticator, func() error, error) {
	return func(ctx context.Context) (ctap.Authenticator, func() error, error) {
		conn, err := socket.Dial(ctx, places.Environment(os.Getenv).Socket())
		if err != nil {
			conn, err = socket.Dial(ctx, places.SystemSocket)
		}
		if err != nil {
			return nil, nil, err
		}
		return ctap.NewClient(conn), conn.Close, nil
	}
}
