//go:build !darwin

package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// dialer connects to the daemon.
func dialer(*slog.Logger) func(ctx context.Context) (ctap.Authenticator, func() error, error) {
	return func(ctx context.Context) (ctap.Authenticator, func() error, error) {
		path := below(os.Getenv("XDG_RUNTIME_DIR"), "localpasskey", "socket")
		if path == "" {
			return nil, nil, &ctap.Problem{What: "The system names no place for sockets (XDG_RUNTIME_DIR is not set).", Hint: "Start the browser from your desktop."}
		}
		conn, err := socket.Dial(ctx, path)
		if err != nil {
			return nil, nil, err
		}
		return ctap.NewClient(conn), conn.Close, nil
	}
}
