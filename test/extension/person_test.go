//go:build e2e && linux

package extension_test

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/demo/site"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/socket"
	"github.com/localpasskey/localpasskey/internal/swtpm"
)

const pin = "correct horse"

// serve runs a daemon, with keys in a software TPM, where the station's host looks for it.
// The person is scripted; all else is what is shipped.
func (s *station) serve(t *testing.T) (*ctaptest.Person, *ctap.Client) {
	t.Helper()
	chip, err := swtpm.Start(t.Context(), t.TempDir())
	check(t, err)
	person := ctaptest.NewPerson(ctaptest.Auto, 0, pin)
	path := filepath.Join(s.home, "tmp", "localpasskey", "socket") // XDG_RUNTIME_DIR of browsers of tests
	ctx, stop := context.WithCancel(t.Context())
	ended, listening := make(chan error, 1), make(chan struct{})
	go func() {
		ended <- daemon.Run(ctx, daemon.Config{
			StorePath: filepath.Join(t.TempDir(), "passkeys.db"), OpenTPM: chip.Opener(), Version: "test",
			User: person, BuiltInUV: func() bool { return true }, Log: slog.New(slog.DiscardHandler),
		}, path, func() { close(listening) })
	}()
	t.Cleanup(func() {
		stop()
		check(t, errors.Join(<-ended, chip.Close()))
	})
	select {
	case <-listening:
	case err := <-ended:
		t.Fatal(err)
	}
	conn, err := socket.Dial(ctx, path)
	check(t, err)
	c := ctap.NewClient(conn)
	_, err = c.Vendor(ctx, ctap.CommandSetup, nil)
	check(t, err)
	check(t, ctap.Platform{Authenticator: c, Protocol: pinuv.Two}.SetPIN(ctx, secret.Of([]byte(pin))))
	return person, c
}

// parties are relying parties that nobody here wrote, by name: addresses on localhost.
func parties(t *testing.T) map[string]string {
	t.Helper()
	s, err := site.Open(t.Context(), "127.0.0.1:0", "")
	check(t, err)
	t.Cleanup(func() { check(t, s.Close(context.Background())) })
	return map[string]string{"go-webauthn": s.Origin, "simplewebauthn": simpleWebAuthn(t)}
}

// simpleWebAuthn starts the one that runs in Node.
func simpleWebAuthn(t *testing.T) string {
	t.Helper()
	c := exec.CommandContext(context.WithoutCancel(t.Context()), "node", "../npm/party.mjs")
	in, err := c.StdinPipe()
	check(t, err)
	out, err := c.StdoutPipe()
	check(t, err)
	var problems strings.Builder
	c.Stderr = &problems
	check(t, c.Start())
	t.Cleanup(func() { check(t, errors.Join(in.Close(), c.Wait())) })
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("party.mjs says nothing: %s\nhint: npm ci --prefix test/npm", problems.String())
	}
	return lines.Text()
}
