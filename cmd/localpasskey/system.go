package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/localpasskey/localpasskey/internal/cli/service"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/fingerprint"
	"github.com/localpasskey/localpasskey/internal/logind"
	"github.com/localpasskey/localpasskey/internal/socket"
	"github.com/localpasskey/localpasskey/internal/system"
	"github.com/localpasskey/localpasskey/internal/tpm/node"
)

// loggedIn is where systemd-logind says who is logged in.
const loggedIn = "/run/systemd/users"

// runSystem joins the daemon for all users with this machine's TPM and the socket that
// the service manager listens at.
func runSystem(ctx context.Context, o service.DaemonOptions, log *slog.Logger) error {
	inherited, err := socket.Inherited(os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"))
	if err != nil {
		return err
	}
	config := system.Config{
		StateDir: o.Store,
		OpenTPM:  node.Open(o.TPM),
		Known:    system.LoggedIn(loggedIn),
		Version:  version,
		Log:      log,
	}
	if plug(o.UHID, os.Getuid()) != nil {
		config.Plug = func(uid int) (daemon.Device, error) { return plug(o.UHID, uid)() }
	}
	if o.Logind {
		config.Presence = func(ctx context.Context, changed func(map[int]system.Screen) <-chan struct{}) {
			logind.Watch(ctx, logind.Config{Address: logind.SystemBus, Idle: o.Idle, Log: log}, func(p logind.Present) <-chan struct{} {
				present := make(map[int]system.Screen, len(p))
				for uid, screen := range p {
					present[uid] = system.Screen(screen)
				}
				return changed(present)
			})
		}
		config.FingerprintBus = fingerprint.SystemBus
	}
	return system.Run(ctx, config, inherited, o.Socket, o.Listening)
}
