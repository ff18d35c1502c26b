package keychain_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave/keychain"
	"github.com/localpasskey/localpasskey/internal/enclave/securitytest"
	"github.com/localpasskey/localpasskey/internal/provider"
)

// listener is answers that keep what the person is told.
type listener struct {
	answers

	told []string
}

func (l *listener) Tell(_ context.Context, message string) { l.told = append(l.told, message) }

// TestTrouble: what can be in the way of the app and its extension is told to the person, nothing is
// half made, and the passkey that was there works afterwards.
func TestTrouble(t *testing.T) {
	t.Parallel()
	for want, spoil := range map[string]func(*securitytest.Chip, *provider.RegistrationRequest){
		"no key can be made in a Secure Enclave\nhint: it takes a Mac": func(c *securitytest.Chip, _ *provider.RegistrationRequest) { c.NoEnclave = true },
		"the disk is full; nothing was changed\nhint: make room":       func(c *securitytest.Chip, _ *provider.RegistrationRequest) { c.FullDisk = true },
		"the Mac is locked\nhint: unlock":                              func(c *securitytest.Chip, _ *provider.RegistrationRequest) { c.Locked = true },
		"this program is not signed for the keychain\nhint:":           func(c *securitytest.Chip, _ *provider.RegistrationRequest) { c.Entitled = false },
		"What macOS has handed over is no request":                     func(_ *securitytest.Chip, r *provider.RegistrationRequest) { r.ClientDataHash = []byte{1} },
	} {
		r := newRig(t)
		a := &listener{}
		p := &provider.Provider{
			Keys: r.keys, Entries: keychain.Entries{Keychain: r.keys}, Identities: a,
			Reason: func(provider.Operation, string, string) string { return "x" }, Log: slog.New(slog.DiscardHandler),
		}
		register := func(rp string, spoil func(*securitytest.Chip, *provider.RegistrationRequest)) {
			req := provider.RegistrationRequest{RPID: rp, UserName: "octocat", UserHandle: []byte("u"), ClientDataHash: make([]byte, 32), Verification: provider.Required}
			spoil(r.chip, &req)
			p.Register(t.Context(), req, a, a)
		}
		register("example.com", func(*securitytest.Chip, *provider.RegistrationRequest) {})
		register("other.example", spoil)
		if len(a.registered) != 1 || len(a.cancelled) != 1 || len(a.told) != 1 || !strings.HasPrefix(a.told[0], want) {
			t.Errorf("%s: %d registered, cancelled %v, told %q", want, len(a.registered), a.cancelled, a.told)
		}
		r.chip.NoEnclave, r.chip.FullDisk, r.chip.Locked, r.chip.Entitled = false, false, false, true
		if r.chip.Items("kSecClassKey") != 1 || r.chip.Items("kSecClassGenericPassword") != 1 {
			t.Errorf("%s: %d keys and %d entries are left", want, r.chip.Items("kSecClassKey"), r.chip.Items("kSecClassGenericPassword"))
		}
		p.Assert(t.Context(), provider.AssertionRequest{RPID: "example.com", ClientDataHash: make([]byte, 32)}, a, a)
		if len(a.asserted) != 1 || !bytes.Equal(a.asserted[0].ID, a.registered[0].ID) {
			t.Errorf("%s: afterwards it does not sign", want)
		}
	}
}

// TestBusy: while another process has the passkeys, and does not give them free, one is told so.
func TestBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		e := keychain.Entries{Keychain: r.keys}
		unlock, err := e.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Lock(t.Context())
		if p, ok := errors.AsType[*ctap.Problem](err); !ok || !strings.Contains(p.What, "another LocalPasskey is busy") || p.Hint == "" {
			t.Errorf("a second one is told %v", err)
		}
		unlock()
		unlock, err = e.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		unlock()
	})
}
