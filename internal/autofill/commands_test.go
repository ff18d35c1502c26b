package autofill_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/autofill"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/enclave/keychain"
	"github.com/localpasskey/localpasskey/internal/enclave/securitytest"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/macos/gesture"
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
		Keys: keys, Entries: keychain.Entries{Keychain: keys}, Identities: m, Reason: autofill.Reason, AAGUID: enclave.AAGUID(), Log: slog.New(slog.DiscardHandler),
	}
	for _, a := range accounts {
		rp, user, _ := strings.Cut(a, " ")
		p.Register(t.Context(), provider.RegistrationRequest{
			RPID: rp, UserName: user, UserHandle: []byte(user), ClientDataHash: make([]byte, 32),
		}, m, m)
	}
	return m, p
}

// run runs a command and gives what it wrote.
func run(t *testing.T, p *provider.Provider, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = autofill.Commands{Provider: p, In: strings.NewReader(in), Out: &o, Err: &e}.Run(t.Context(), args)
	return code, o.String(), e.String()
}

func TestList(t *testing.T) {
	t.Parallel()
	_, p := newMac(t)
	if code, out, errs := run(t, p, "", "list"); code != 0 || out != "" || !strings.Contains(errs, "No passkeys") {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	if code, out, _ := run(t, p, "", "list", "--json"); code != 0 || strings.TrimSpace(out) != "[]" {
		t.Errorf("%d, %q", code, out)
	}
	_, p = newMac(t, "github.com octocat", "example.com mona\x1b[2J")
	code, out, _ := run(t, p, "", "list")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || len(lines) != 3 || !strings.HasPrefix(lines[1], "example.com") || !strings.Contains(lines[2], "octocat") ||
		!strings.Contains(lines[1], "reported as synced by macOS") || strings.Contains(out, "\x1b") {
		t.Errorf("%d, %q", code, out)
	}
	var listed []map[string]any
	_, out, _ = run(t, p, "", "list", "--json")
	if err := json.Unmarshal([]byte(out), &listed); err != nil || len(listed) != 2 || listed[1]["service"] != "github.com" ||
		listed[1]["user_name"] != "octocat" || listed[1]["reported_as_synced"] != true || len(listed[1]["id"].(string)) != 43 {
		t.Errorf("%v, %q", err, out)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	m, p := newMac(t, "github.com octocat", "example.com mona")
	var listed []struct{ ID string }
	_, out, _ := run(t, p, "", "list", "--json")
	if err := json.Unmarshal([]byte(out), &listed); err != nil {
		t.Fatal(err)
	}
	id := listed[1].ID
	for in, want := range map[string]int{"example.com\n": 4, "": 4, "GitHub.com\n": 4, "github.com \n": 4} {
		if code, _, errs := run(t, p, in, "delete", id[:8]); code != want || m.offered != 2 {
			t.Errorf("%q: %d, %q", in, code, errs)
		}
	}
	if code, _, errs := run(t, p, "github.com\n", "delete", "nothing"); code != 3 || !strings.Contains(errs, "hint:") {
		t.Errorf("%d, %q", code, errs)
	}
	if code, _, _ := run(t, p, "github.com\n", "delete", ""); code != 3 {
		t.Errorf("an empty ID: %d", code)
	}
	if code, out, errs := run(t, p, "github.com\n", "delete", id[:8]); code != 0 || out != "Deleted.\n" || !strings.Contains(errs, "octocat") || m.offered != 1 {
		t.Errorf("%d, %q, %q, %d offered", code, out, errs, m.offered)
	}
	m.chip.Fail("find", 1)
	if code, _, errs := run(t, p, "", "list"); code != 1 || errs == "" {
		t.Errorf("%d, %q", code, errs)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	m, p := newMac(t, "github.com octocat")
	if code, out, _ := run(t, p, "", "--help"); code != 0 || !strings.Contains(out, "They are not.") {
		t.Errorf("%d, %q", code, out)
	}
	for _, args := range [][]string{{"steal"}, {"delete"}, {"list", "--xml"}, {"refresh", "now"}} {
		if code, out, errs := run(t, p, "", args...); code != 2 || out != "" || !strings.Contains(errs, "hint:") {
			t.Errorf("%q: %d, %q, %q", args, code, out, errs)
		}
	}
	m.offered = 7
	if code, _, _ := run(t, p, "", "refresh"); code != 0 || m.offered != 1 {
		t.Errorf("%d, %d offered", code, m.offered)
	}
}

func TestWelcome(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "No passkeys yet", 1: "1 passkey in", 2: "2 passkeys in"} {
		if title, text := autofill.Welcome(n, nil); !strings.HasPrefix(title, want) || !strings.Contains(text, "AutoFill & Passwords") {
			t.Errorf("%d: %q, %q", n, title, text)
		}
	}
	if title, text := autofill.Welcome(0, &ctap.Problem{What: "the Mac is locked", Hint: "unlock it"}); !strings.Contains(title, "cannot") || text != "the Mac is locked.\nunlock it" {
		t.Errorf("%q, %q", title, text)
	}
	if title, text := autofill.Welcome(0, errors.New("x")); !strings.Contains(title, "cannot") || text != "x" {
		t.Errorf("%q, %q", title, text)
	}
}

// TestOpened: an app that has passkeys to show asks nothing first.
func TestOpened(t *testing.T) {
	t.Parallel()
	if autofill.Greets(1, nil) || !autofill.Greets(0, nil) || !autofill.Greets(1, errors.New("x")) {
		t.Error("it greets when there is nothing to say, or does not when there is")
	}
	var asked []bool
	commands := autofill.Commands{Out: io.Discard, Err: io.Discard, Manage: func(_ context.Context, browser bool) error {
		asked = append(asked, browser)
		return nil
	}}
	for want, args := range [][]string{{"manage"}, {"manage", "--browser"}} {
		if code := commands.Run(t.Context(), args); code != 0 || asked[want] != (want == 1) {
			t.Errorf("%q: %d, %v", args, code, asked)
		}
	}
	if code := commands.Run(t.Context(), []string{"manage", "--port"}); code != 2 || len(asked) != 2 {
		t.Errorf("%d, %v", code, asked)
	}
}

func TestReason(t *testing.T) {
	t.Parallel()
	for o, want := range map[provider.Operation]string{
		provider.OperationRegister: "create a passkey for example.com as octocat",
		provider.OperationReplace:  "create a passkey for example.com as octocat, which REPLACES the one that is here",
		provider.OperationSignIn:   "sign in to example.com as octocat",
		provider.OperationExists:   "tell example.com that you have a passkey here as octocat",
	} {
		if got := autofill.Reason(o, "example.com", "octocat"); got != want {
			t.Errorf("%s: %q, want %q", o, got, want)
		}
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	show := func() (int, string) {
		var out, errs bytes.Buffer
		code := autofill.Commands{Folder: folder, Out: &out, Err: &errs}.Run(t.Context(), []string{"log"})
		return code, out.String() + errs.String()
	}
	if code, text := show(); code != 1 || !strings.Contains(text, "hint:") {
		t.Errorf("%d, %q", code, text)
	}
	for _, line := range []string{"first\n", strings.Repeat("x", 1<<20), "y\n", "second\n"} {
		file, err := autofill.OpenLog(folder)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(line); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	code, text := show()
	if code != 0 || !strings.HasPrefix(text, "first\nxxx") || !strings.HasSuffix(text, "xxxy\nsecond\n") {
		t.Errorf("%d, %d bytes", code, len(text))
	}
	info, err := os.Stat(filepath.Join(folder, "extension.log"))
	if err != nil || info.Size() > 100 || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}
