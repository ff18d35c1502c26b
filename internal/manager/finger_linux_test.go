package manager

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/enclave/securitytest"
	"github.com/localpasskey/localpasskey/internal/local"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/macos/gesture"
	"github.com/localpasskey/localpasskey/internal/touchid"
)

// sheet is Touch ID with a person who says yes, or no.
type sheet struct {
	chip   *securitytest.Chip
	refuse bool
	asked  []string
}

func (s *sheet) Ask(_ context.Context, reason string) (*gesture.Gesture, error) {
	s.asked = append(s.asked, reason)
	if s.refuse {
		return nil, &macos.Error{Domain: macos.DomainLocalAuthentication, Code: macos.LAErrorUserCancel}
	}
	la := macos.ID(len(s.asked))
	s.chip.Touch(la)
	return gesture.New(la, s.chip.Invalidate), nil
}

// newMac is an API in front of an authenticator with Touch ID, and one passkey.
func newMac(t *testing.T) (*API, *sheet) {
	t.Helper()
	s := &sheet{chip: securitytest.New()}
	l := local.New(local.Config{
		StorePath: filepath.Join(t.TempDir(), "passkeys.db"), Security: s.chip, Version: "test", Log: slog.New(slog.DiscardHandler),
		Person: func(enclave.Protection) (authenticator.User, func() bool) {
			return touchid.User{Sensor: s}, func() bool { return true }
		},
	})
	t.Cleanup(func() { check(t, l.Close()) })
	check(t, l.SetUp(t.Context(), enclave.BiometryAny))
	c := l.Channel(ctap.Caller{UID: os.Getuid(), Door: ctap.DoorSocket})
	_, err := c.MakeCredential(t.Context(), &ctap.MakeCredentialRequest{
		ClientDataHash: make([]byte, 32), RP: &ctap.RelyingParty{ID: "example.com"}, User: &ctap.User{ID: []byte{1}, Name: "octocat"},
		Parameters: []ctap.Parameter{{Algorithm: cose.ES256, Type: ctap.PublicKeyType}}, Options: &ctap.Options{RK: new(true), UV: new(true)},
	})
	check(t, err)
	return apiOf(c), s
}

// TestFinger: on a Mac the page sends no PIN, and Touch ID asks.
func TestFinger(t *testing.T) {
	t.Parallel()
	api, s := newMac(t)
	var state State
	if refused := api.ask(t, "state", nil, &state); refused != "" || !state.Finger || !state.SetUp || !strings.Contains(state.Hardware, "Secure Enclave") {
		t.Errorf("%+v, %q", state, refused)
	}
	_, ids := api.names(t)
	if refused := api.ask(t, "rename", RenameRequest{ID: ids[0], UserName: "mona"}, nil); refused != "" {
		t.Errorf("refused: %q", refused)
	}
	s.refuse = true
	if refused := api.ask(t, "delete", DeleteRequest{IDs: ids, Typed: "example.com"}, nil); refused == "" {
		t.Error("deleted although the person refused")
	}
	if names, _ := api.names(t); names != "example.com mona" {
		t.Errorf("there is %q", names)
	}
	s.refuse = false
	if refused := api.ask(t, "delete", DeleteRequest{IDs: ids, Typed: "example.com"}, nil); refused != "" {
		t.Errorf("refused: %q", refused)
	}
	if names, _ := api.names(t); names != "" || len(s.asked) != 4 {
		t.Errorf("there is %q, asked %q", names, s.asked)
	}
}
