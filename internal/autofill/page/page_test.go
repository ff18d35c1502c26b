package page_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/autofill/page"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/enclave/keychain"
	"github.com/localpasskey/localpasskey/internal/enclave/securitytest"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/macos/gesture"
	"github.com/localpasskey/localpasskey/internal/manager"
	"github.com/localpasskey/localpasskey/internal/provider"
)

// mac is a keychain, and a person and a system that say yes.
type mac struct {
	chip    *securitytest.Chip
	offered int
}

func (m *mac) Sheet(string) *gesture.Gesture {
	m.chip.Touch(1)
	return gesture.New(1, func(macos.ID) {})
}

func (m *mac) Replace(_ context.Context, all []provider.Identity) error {
	m.offered = len(all)
	return nil
}
func (m *mac) CompleteRegistration(context.Context, provider.Registration) error { return nil }
func (m *mac) CompleteAssertion(context.Context, provider.Assertion) error       { return nil }
func (m *mac) CompleteConfiguration()                                            {}
func (m *mac) Cancel(provider.Code)                                              {}
func (m *mac) Verify(context.Context, string) error                              { return nil }
func (m *mac) Choose(context.Context, string, []string) (int, error)             { return 0, nil }
func (m *mac) Tell(context.Context, string)                                      {}

func newMac(t *testing.T, accounts ...string) (*mac, *provider.Provider) {
	t.Helper()
	m := &mac{chip: securitytest.New()}
	m.chip.Entitled = true
	keys := keychain.Keychain{
		Security: m.chip, Items: m.chip, Sheets: m, Group: "G", Protection: enclave.BiometryAny, LockFile: filepath.Join(t.TempDir(), "lock"),
	}
	p := &provider.Provider{
		Keys: keys, Entries: keychain.Entries{Keychain: keys}, Identities: m, Reason: func(provider.Operation, string, string) string { return "x" }, AAGUID: enclave.AAGUID(), Log: slog.New(slog.DiscardHandler),
	}
	for _, a := range accounts {
		rp, user, _ := strings.Cut(a, " ")
		p.Register(t.Context(), provider.RegistrationRequest{
			RPID: rp, UserName: user, UserHandle: []byte(user), ClientDataHash: make([]byte, 32),
		}, m, m)
	}
	return m, p
}

// screen is a page, and a person at Touch ID.
type screen struct {
	*testing.T
	page   manager.Backend
	asked  []string
	refuse error
}

func newScreen(t *testing.T, p *provider.Provider) *screen {
	s := &screen{T: t}
	s.page = page.Backend{Provider: p, Version: "1", Confirm: func(_ context.Context, reason string) error {
		s.asked = append(s.asked, reason)
		return s.refuse
	}}
	return s
}

// call asks as the page does. refused is "" for an answer.
func (s *screen) call(name string, request, into any) (refused string) {
	s.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		s.Fatal(err)
	}
	answer, ok := s.page.Call(s.Context(), name, body)
	if !ok {
		var r manager.Refusal
		if err := json.Unmarshal(answer, &r); err != nil || r.Error == "" {
			s.Fatalf("%s is refused with %s, %v", name, answer, err)
		}
		return r.Error
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			s.Fatal(err)
		}
	}
	return ""
}

func (s *screen) passkeys() (all []manager.Passkey) {
	s.Helper()
	if refused := s.call("passkeys", nil, &all); refused != "" {
		s.Fatal(refused)
	}
	slices.SortFunc(all, func(x, y manager.Passkey) int { return strings.Compare(x.Service, y.Service) })
	return all
}

func TestPage(t *testing.T) {
	t.Parallel()
	m, p := newMac(t, "github.com octocat", "example.com mona")
	s := newScreen(t, p)
	var state manager.State
	if refused := s.call("state", nil, &state); refused != "" || !state.Finger || !state.SetUp || state.Problem != nil {
		t.Errorf("%+v, %q", state, refused)
	}
	all := s.passkeys()
	if len(all) != 2 || all[0].Service != "example.com" || all[0].URL != "https://example.com" || all[1].UserName != "octocat" ||
		all[0].Flags != "BE=1 BS=1" || all[0].Created == 0 || len(all[0].ID) != 64 {
		t.Fatalf("%+v", all)
	}
	if refused := s.call("rename", manager.RenameRequest{ID: all[1].ID, UserName: "hubot"}, nil); refused != "" {
		t.Error(refused)
	}
	if refused := s.call("hide", manager.HideRequest{IDs: manager.Pick{all[0].ID}, Hidden: true}, nil); refused != "" || m.offered != 1 {
		t.Errorf("%q, %d offered", refused, m.offered)
	}
	if all = s.passkeys(); all[1].UserName != "hubot" || !all[0].Hidden {
		t.Errorf("%+v", all)
	}
	if refused := s.call("hide", manager.HideRequest{IDs: manager.Pick{all[0].ID}}, nil); refused != "" || m.offered != 2 {
		t.Errorf("%q, %d offered", refused, m.offered)
	}
	both := manager.Pick{all[0].ID, all[1].ID}
	for typed, refuse := range map[string]error{"delete 1 passkeys": nil, "": nil, "delete 2 passkeys": &ctap.Problem{Status: ctap.OperationDenied, What: "you refused"}} {
		s.refuse = refuse
		if refused := s.call("delete", manager.DeleteRequest{IDs: both, Typed: typed}, nil); refused == "" || m.offered != 2 {
			t.Errorf("%q: deleted, %d are left", typed, m.offered)
		}
	}
	s.refuse = nil
	var gone manager.Deleted
	if refused := s.call("delete", manager.DeleteRequest{IDs: both, Typed: "delete 2 passkeys"}, &gone); refused != "" || len(gone.IDs) != 2 || m.offered != 0 {
		t.Errorf("%q, %+v, %d offered", refused, gone, m.offered)
	}
	if want := "rename your passkey for github.com|DELETE 2 passkeys for good|DELETE 2 passkeys for good"; strings.Join(s.asked, "|") != want {
		t.Errorf("asked %q", s.asked)
	}
}

func TestPageRefuses(t *testing.T) {
	t.Parallel()
	m, p := newMac(t, "github.com octocat")
	s := newScreen(t, p)
	id := s.passkeys()[0].ID
	for name, request := range map[string]any{
		"rename":    manager.RenameRequest{ID: "00", UserName: "x"},
		"delete":    manager.DeleteRequest{IDs: manager.Pick{id, "00"}, Typed: "github.com"},
		"hide":      manager.HideRequest{},
		"configure": manager.ConfigureRequest{Setting: "always-uv", Value: "off"},
		"compare":   manager.CompareRequest{},
		"steal":     nil,
	} {
		if refused := s.call(name, request, nil); refused == "" {
			t.Errorf("%s was done", name)
		}
	}
	if refused := s.call("rename", manager.RenameRequest{ID: id, UserName: strings.Repeat("x", 1000)}, nil); refused == "" {
		t.Error("a name of 1000 bytes was taken")
	}
	if _, ok := s.page.Call(t.Context(), "delete", []byte(`{"ids":[],"typed":"","pin":"","more":1}`)); ok {
		t.Error("an unknown field was taken")
	}
	m.chip.Fail("find", 1)
	if refused := s.call("passkeys", nil, nil); refused == "" {
		t.Error("listed although the keychain failed")
	}
	if len(s.asked) != 0 {
		t.Errorf("asked %q", s.asked)
	}
	for _, name := range []string{"history", "settings"} {
		if refused := s.call(name, nil, nil); refused != "" {
			t.Errorf("%s: %s", name, refused)
		}
	}
}

// TestManage: the page is served until the program is told to end.
func TestManage(t *testing.T) {
	t.Parallel()
	_, p := newMac(t)
	ctx, cancel := context.WithCancel(t.Context())
	cleaned := 0
	err := page.Backend{Provider: p}.Show(ctx, func(_ context.Context, url string) (func() error, error) {
		if !strings.HasPrefix(url, "http://127.0.0.1:") {
			t.Errorf("opens %q", url)
		}
		cancel()
		return func() error { cleaned++; return nil }, nil
	})
	if cleaned != 1 || err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("cleaned %d times, %v", cleaned, err)
	}
	trouble := errors.New("no browser")
	err = page.Backend{Provider: p}.Show(t.Context(), func(context.Context, string) (func() error, error) { return nil, trouble })
	if problem, ok := errors.AsType[*ctap.Problem](err); !ok || problem.Hint == "" || !errors.Is(err, trouble) {
		t.Errorf("without a browser: %v", err)
	}
}
