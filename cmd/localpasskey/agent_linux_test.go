package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/cli/service"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/notify/notifytest"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/socket"
	"github.com/localpasskey/localpasskey/internal/swtpm"
)

// The agent, as it is started in a session, warns on the session's bus.
func TestAgentNotifies(t *testing.T) {
	t.Parallel()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	desktop := notifytest.Start(t)
	chip, err := swtpm.Start(t.Context(), t.TempDir())
	check(err)
	t.Cleanup(func() { check(chip.Close()) })
	dir, err := os.MkdirTemp("", "lp") // a socket's path is short
	check(err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "socket")
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	ctx, cancel := context.WithCancel(context.Background())
	listening, served := make(chan struct{}), make(chan error, 1)
	go func() {
		served <- daemon.Run(ctx, daemon.Config{
			StorePath: filepath.Join(dir, "data", "passkeys.db"), OpenTPM: chip.Opener(), User: prompt.Nobody{Log: log}, Version: "1", Log: log,
		}, path, func() { close(listening) })
	}()
	<-listening
	t.Cleanup(func() { cancel(); check(<-served) })
	conn, err := socket.Dial(t.Context(), path)
	check(err)
	t.Cleanup(func() { _ = conn.Close() })
	client := ctap.NewClient(conn)
	_, err = client.Vendor(t.Context(), ctap.CommandSetup, nil)
	check(err)
	platform := ctap.Platform{Authenticator: client, Protocol: pinuv.Two}
	check(platform.SetPIN(t.Context(), secret.Of([]byte("correct horse"))))
	attending := make(chan struct{})
	agentCtx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		o := service.AgentOptions{Socket: path, Pinentry: "/bin/true", Notify: "warnings", Attending: func(string) { close(attending) }}
		ended <- runAgent(agentCtx, o, desktop.Bus.Address)
	}()
	t.Cleanup(func() { stop(); check(<-ended) })
	<-attending
	for tries := 7; tries >= 3; tries-- {
		if _, err := platform.TokenWithPIN(t.Context(), secret.Of([]byte("wrong")), ctap.PermissionGetAssertion, "example.com"); err == nil {
			t.Fatal("a wrong PIN was taken")
		}
		if tries == 5 { // three in a row
			_, err = client.Vendor(t.Context(), ctap.CommandReconnect, nil)
			check(err)
		}
	}
	const want = "PIN of your passkeys: 3 tries left"
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if shown := desktop.Shown(); len(shown) > 0 {
			if shown[0].Summary != want {
				t.Errorf("%+v", shown)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing was shown")
		}
	}
}
