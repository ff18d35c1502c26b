package view_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/localpasskey/localpasskey/internal/cli/view"
	"github.com/localpasskey/localpasskey/internal/cli/words"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

func passkey() ctap.Passkey {
	return ctap.Passkey{
		CredentialID: bytes.Repeat([]byte{0xab}, 32), RPID: "example.com",
		User: ctap.User{ID: []byte{1, 2, 3}, Name: "alice"}, Created: 1_800_000_000, Algorithm: -7,
		Discoverable: true, PINBound: true,
	}
}

func shown(t *testing.T, p ctap.Passkey) string {
	t.Helper()
	var out bytes.Buffer
	if err := view.Passkey(&out, p, words.TPM()); err != nil {
		t.Fatal(err)
	}
	return plain(out.String())
}

// plain has the columns apart by two spaces, however wide they are.
func plain(table string) string { return regexp.MustCompile(" {2,}").ReplaceAllString(table, "  ") }

func TestPasskeyTellsWhoEnforcesThePIN(t *testing.T) {
	t.Parallel()
	p := passkey()
	if got := shown(t, p); !strings.Contains(got, "\nPIN  demanded by the TPM: without it the key signs for nobody\n") {
		t.Errorf("a PIN-bound key:\n%s", got)
	}
	p.PINBound = false
	if got := shown(t, p); !strings.Contains(got, "the TPM would sign without it\n") || strings.Contains(got, "signs for nobody") {
		t.Errorf("a presence-only key:\n%s", got)
	}
}

func TestPasskeyTellsOfUseAndBackup(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*ctap.Passkey){
		"last used  never\n":                       func(*ctap.Passkey) {},
		", 12 times in all\n":                      func(p *ctap.Passkey) { p.LastUsed, p.Uses = 1_800_000_100, 12 },
		"backed up  no, and it cannot be":          func(*ctap.Passkey) {},
		"backed up  no, but it says it could be\n": func(p *ctap.Passkey) { p.BackupEligible = true },
		"backed up  yes\n":                         func(p *ctap.Passkey) { p.BackupEligible, p.BackedUp = true, true },
		"key  ES384 in this machine":               func(p *ctap.Passkey) { p.Algorithm = -35 },
		"key  COSE algorithm -257 in this machine": func(p *ctap.Passkey) { p.Algorithm = -257 },
		"kind  security key: ":                     func(p *ctap.Passkey) { p.Discoverable = false },
		"encrypts  yes (hmac-secret)":              func(p *ctap.Passkey) { p.HMACSecret = true },
	} {
		p := passkey()
		change(&p)
		if got := shown(t, p); !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
}

// What two IDs have in common must not be all that is shown of them.
func TestShortIDsTellApart(t *testing.T) {
	t.Parallel()
	a, b := passkey(), passkey()
	b.CredentialID = bytes.Clone(b.CredentialID)
	b.CredentialID[4] = 0xcd
	if got := view.ShortIDs([]ctap.Passkey{a, b}); got[0] != "ababababab" || got[1] != "ababababcd" {
		t.Errorf("shown as %q", got)
	}
	b.CredentialID[0] = 0x00
	if got := view.ShortIDs([]ctap.Passkey{a, b}); got[0] != "abababab" || got[1] != "00ababab" {
		t.Errorf("shown as %q", got)
	}
	if got := view.ShortIDs([]ctap.Passkey{a, a}); len(got) != 2 || got[0] != view.ID(a) {
		t.Errorf("the same twice is shown as %q", got)
	}
}

// The end of a service's name says whose it is.
func TestTableKeepsTheEndOfAService(t *testing.T) {
	t.Parallel()
	p := passkey()
	p.RPID = "accounts.google.com.login.session.a-very-long-name.evil.example"
	var out bytes.Buffer
	if err := view.Table(&out, []ctap.Passkey{p}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "\n…") || !strings.Contains(out.String(), ".evil.example  alice") || strings.Contains(out.String(), "google") {
		t.Errorf("the table reads\n%s", out.String())
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	p := passkey()
	p.User.Name, p.RPName = "a\u009b31m\u202eb\U000e0001\"", "é 愛"
	p.LastUsed = 1_800_000_100
	var out bytes.Buffer
	if err := view.PasskeysJSON(&out, []ctap.Passkey{p}); err != nil {
		t.Fatal(err)
	}
	for _, r := range out.String() {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%U is written as it is", r)
		}
	}
	var got struct {
		Passkeys []struct {
			Service     string     `json:"service"`
			ServiceName string     `json:"service_name"`
			UserName    string     `json:"user_name"`
			UserID      string     `json:"user_id"`
			Created     time.Time  `json:"created"`
			LastUsed    *time.Time `json:"last_used"`
		} `json:"passkeys"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got.Passkeys) != 1 {
		t.Fatalf("%v in %s", err, out.String())
	}
	g := got.Passkeys[0]
	if g.UserName != p.User.Name || g.ServiceName != p.RPName || g.Service != p.RPID || g.UserID != "AQID" ||
		g.Created.Unix() != p.Created || g.LastUsed == nil || g.LastUsed.Unix() != p.LastUsed {
		t.Errorf("read back as %+v", g)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]ctap.StatusResponse{
		"set up  no, run `localpasskey setup`":                               {},
		"works  no: the TPM is gone":                                         {SetUp: true, Problem: &ctap.Problem{What: "the \x1bTPM is gone"}},
		"PIN  not set, run `localpasskey pin set`":                           {SetUp: true, PINRetries: 8},
		"PIN  set, 1 try left":                                               {SetUp: true, PINSet: true, PINRetries: 1},
		"PIN  locked for good: ":                                             {SetUp: true, PINSet: true},
		"PIN  three wrong ones in a row: `localpasskey reconnect` gives you": {SetUp: true, PINSet: true, PINRetries: 5, Reinsert: true},
		"PIN demanded  when a service asks for it":                           {SetUp: true},
	} {
		var out bytes.Buffer
		if err := view.Status(&out, &s); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plain(out.String()), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
}
