package main

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave/securitytest"
	"github.com/localpasskey/localpasskey/internal/local"
	"github.com/localpasskey/localpasskey/internal/macos"
)

// What can be in the way on a Mac: each is said, with what to do, and nothing is lost by it.

// ready is a command line that is set up, with a passkey.
func ready(t *testing.T, flags ...string) *commandLine {
	c := newCommandLine(t)
	c.run(0, append([]string{"setup"}, flags...)...)
	register(t, c.config, "octocat")
	return c
}

// whole: the passkey is there, and signs.
func (c *commandLine) whole() {
	c.Helper()
	c.finger.fail, c.finger.refuse = 0, false
	c.holds(c.run(0, "list"), "octocat")
	if err := signIn(c.Context(), c.config); err != nil {
		c.Errorf("afterwards the passkey does not sign: %v", err)
	}
}

// signIn signs in, as a door will.
func signIn(ctx context.Context, config local.Config) error {
	l := local.New(config)
	yes := true
	_, err := l.Channel(ctap.Caller{UID: os.Getuid(), Door: ctap.DoorSocket}).GetAssertion(ctx, &ctap.GetAssertionRequest{
		RPID: "example.com", ClientDataHash: make([]byte, 32), Options: &ctap.Options{UV: &yes},
	})
	return errors.Join(err, l.Close())
}

func TestNoEnclave(t *testing.T) {
	c := newCommandLine(t)
	c.finger.chip.NoEnclave = true
	c.holds(c.run(1, "setup"), "no key can be made in a Secure Enclave", "hint: it takes a Mac")
	if _, err := os.Stat(c.config.StorePath); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a store is left: %v", err)
	}
	c.finger.chip.NoEnclave = false
	c.run(0, "setup")
}

func TestNoAnswer(t *testing.T) {
	c := ready(t)
	for _, trouble := range []struct {
		code, exit int
		what       string
	}{
		{macos.LAErrorUserCancel, 4, "refused"},
		{macos.LAErrorSystemCancel, 4, "cancelled"},
		{macos.LAErrorBiometryLockout, 6, "Touch ID is locked after too many wrong fingers"},
		{macos.LAErrorAuthenticationFailed, 6, "the finger was not recognized"},
		{macos.LAErrorBiometryNotAvailable, 5, "Touch ID cannot ask now"},
		{macos.LAErrorBiometryNotEnrolled, 5, "Touch ID cannot ask now"},
		{macos.LAErrorNotInteractive, 5, "Touch ID cannot ask now"},
	} {
		c.finger.fail = trouble.code
		text := c.run(trouble.exit, "delete", "--yes", "example.com")
		c.holds(text, trouble.what)
		if trouble.code != macos.LAErrorSystemCancel {
			c.holds(text, "hint:")
		}
	}
	c.whole()
}

// TestFingersChanged: a key that takes only the fingers of its time is dead, which is said; its
// passkey is still listed and can be deleted.
func TestFingersChanged(t *testing.T) {
	c := ready(t, "--current-fingers")
	c.finger.chip.FingersChanged = true
	if err := signIn(t.Context(), c.config); err == nil {
		t.Error("signed with another finger")
	}
	c.holds(c.run(0, "list"), "octocat")
	c.finger.chip.FingersChanged = false
	c.whole()
	c.finger.chip.FingersChanged = true
	c.run(0, "delete", "--yes", "example.com")
}

func TestTwoAtOnce(t *testing.T) {
	c := ready(t)
	busy := c.config
	busy.Rest = time.Hour // as with a request that goes on and on
	other := local.New(busy)
	if _, err := ctap.ReadPasskeys(t.Context(), other.Channel(ctap.Caller{UID: os.Getuid(), Door: ctap.DoorSocket})); err != nil {
		t.Fatal(err)
	}
	c.holds(c.run(5, "list"), "another localpasskey is using this store", "hint: stop the other one")
	c.holds(c.run(5, "delete", "--yes", "example.com"), "another localpasskey")
	c.holds(c.run(5, "reset"), "another localpasskey")
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	c.whole()
}

func TestAnotherMac(t *testing.T) {
	c := ready(t)
	before, err := os.ReadFile(c.config.StorePath)
	if err != nil {
		t.Fatal(err)
	}
	mine := c.config.Security
	c.config.Security = securitytest.New()
	for _, args := range [][]string{{"list"}, {"status"}, {"delete", "--yes", "example.com"}, {"reset"}} {
		c.holds(c.run(5, args...), "this Mac's Secure Enclave cannot open the store", "hint: it is another Mac's")
	}
	c.holds(c.run(1, "setup"), "already")
	if after, err := os.ReadFile(c.config.StorePath); err != nil || string(before) != string(after) {
		t.Errorf("another Mac has changed the store, %v", err)
	}
	c.config.Security = mine
	c.whole()
}
