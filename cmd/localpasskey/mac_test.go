package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cli"
	"github.com/localpasskey/localpasskey/internal/cli/mac"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/enclave/securitytest"
	"github.com/localpasskey/localpasskey/internal/local"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/macos/gesture"
	"github.com/localpasskey/localpasskey/internal/touchid"
)

// finger is a person at Touch ID.
type finger struct {
	chip   *securitytest.Chip
	refuse bool
	fail   int // an LAError, 0 for none
	asked  int
}

func (f *finger) Ask(context.Context, string) (*gesture.Gesture, error) {
	f.asked++
	if f.refuse {
		f.fail = macos.LAErrorUserCancel
	}
	if f.fail != 0 {
		return nil, &macos.Error{Domain: macos.DomainLocalAuthentication, Code: f.fail}
	}
	la := macos.ID(f.asked)
	f.chip.Touch(la)
	return gesture.New(la, f.chip.Invalidate), nil
}

// commandLine is the command line of a Mac.
type commandLine struct {
	*testing.T

	finger *finger
	config local.Config
	// failed is what the doctor finds.
	failed int
}

func newCommandLine(t *testing.T) *commandLine {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	f := &finger{chip: securitytest.New()}
	return &commandLine{T: t, finger: f, config: local.Config{
		StorePath: filepath.Join(dir, "Application Support", "passkeys.db"), Security: f.chip, Version: "test", Log: slog.New(slog.DiscardHandler),
		Person: func(enclave.Protection) (authenticator.User, func() bool) {
			return touchid.User{Sensor: f}, func() bool { return true }
		},
	}}
}

// run runs a command, and gives what it writes.
func (c *commandLine) run(want int, args ...string) string {
	c.Helper()
	var out bytes.Buffer
	check := func(_ context.Context, finger bool) int {
		fmt.Fprintf(&out, "checked, finger %t\n", finger)
		return c.failed
	}
	program := cli.Program{Version: "test", In: strings.NewReader(""), Out: &out, Err: &out}
	if code := onMac(c.Context(), program, c.config, check, args); code != want {
		c.Errorf("%q ended with %d, want %d: %s", args, code, want, out.String())
	}
	text := out.String()
	if found := regexp.MustCompile(`(?i:\btpm|daemon|pinentry|systemd|/dev/)|\bPINs?\b`).FindString(text); found != "" && !strings.Contains(text, "is not for Macs") {
		c.Errorf("%q speaks of %q: %s", args, found, text)
	}
	return text
}

func (c *commandLine) holds(text string, all ...string) {
	c.Helper()
	for _, one := range all {
		if !strings.Contains(text, one) {
			c.Errorf("%q does not say %q", text, one)
		}
	}
}

// TestOnMac: the command line without a daemon and without a PIN.
func TestOnMac(t *testing.T) {
	c := newCommandLine(t)
	run, holds, f, config := c.run, c.holds, c.finger, c.config
	for name := range mac.Absent() {
		holds(run(2, name), "not for Macs", "hint:")
		holds(run(2, name, "--help"), "not for Macs", "hint:")
	}
	holds(run(0, "doctor"), "checked, finger false")
	c.failed = 2
	holds(run(1, "doctor", "--finger"), "checked, finger true", "2 of these failed", "hint:")
	holds(run(5, "list"), "not set up", "localpasskey setup")
	holds(run(0, "setup", "--help"), "--current-fingers", "--password")
	holds(run(2, "setup", "--nobody"), "--nobody", "hint:")
	holds(run(0, "setup", "--current-fingers"), "is set up", "enrolled when the key was made", "register a second one")
	holds(run(1, "setup"), "already", "hint:")
	holds(run(2, "setup", "--current-fingers", "--password"), "hint:")
	holds(run(0, "status"), "Secure Enclave", "a finger", "offered")
	register(t, config, "octocat")
	register(t, config, "hubot")
	holds(run(0, "list"), "example.com", "octocat", "hubot")
	holds(run(0, "list", "--json"), `"octocat"`)
	_, row, _ := strings.Cut(run(0, "list", "--filter", "octocat"), "\n")
	fields := strings.Fields(row)
	id := fields[len(fields)-1]
	holds(run(0, "show", id), "octocat", "demanded by the Secure Enclave")
	holds(run(0, "config"), "always-uv", "finger")
	holds(run(0, "config", "always-uv", "off"), "presence-only")
	holds(run(0, "config", "always-uv", "on"), "A finger is demanded")
	holds(run(0, "audit", "list"), "octocat")
	holds(run(0, "--help"), "Secure Enclave", "setup", "doctor")
	holds(run(0), "Secure Enclave")
	asked := f.asked
	run(0, "delete", "--yes", id)
	if f.asked != asked+1 {
		t.Errorf("deleting asked for %d fingers", f.asked-asked)
	}
	f.refuse = true
	holds(run(4, "delete", "--yes", "example.com"), "refused")
	if list := run(0, "list"); strings.Contains(list, "octocat") || !strings.Contains(list, "hubot") {
		t.Errorf("in the end there is %q", list)
	}
	left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "lpk-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// register makes a passkey, as a door will.
func register(t *testing.T, config local.Config, user string) {
	t.Helper()
	l := local.New(config)
	if err := errors.Join(registers(t.Context(), l, "example.com", user), l.Close()); err != nil {
		t.Fatal(err)
	}
}

func registers(ctx context.Context, l *local.Local, rp, user string) error {
	yes := true
	hash := sha256.Sum256([]byte("x"))
	_, err := l.Channel(ctap.Caller{UID: os.Getuid(), Door: ctap.DoorSocket}).MakeCredential(ctx, &ctap.MakeCredentialRequest{
		ClientDataHash: hash[:], RP: &ctap.RelyingParty{ID: rp}, User: &ctap.User{ID: []byte(user), Name: user},
		Parameters: []ctap.Parameter{{Type: ctap.PublicKeyType, Algorithm: cose.ES256}}, Options: &ctap.Options{RK: &yes, UV: &yes},
	})
	return err
}
