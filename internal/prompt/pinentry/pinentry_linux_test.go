package pinentry_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/prompt/pinentry"
	"github.com/localpasskey/localpasskey/internal/prompt/pinentry/pinentrytest"
	"github.com/localpasskey/localpasskey/internal/prompt/ptytest"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// asProgram has the test binary be the pinentry program of a directory.
const asProgram = "PINENTRY_TEST_DIRECTORY"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asProgram); dir != "" {
		if err := pinentrytest.Run(dir, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// desk is a person with a script.
type desk struct {
	*testing.T
	*pinentry.Pinentry
	dir string
}

func sit(t *testing.T, answers ...string) *desk {
	t.Helper()
	return sitBehind(t, "%s='%s' exec '%s'", answers...)
}

// sitBehind is sit with a script that starts the program, given its directory and itself.
func sitBehind(t *testing.T, starts string, answers ...string) *desk {
	t.Helper()
	d := &desk{T: t, dir: t.TempDir()}
	program := filepath.Join(d.dir, "pinentry")
	script := "#!/bin/sh\n" + fmt.Sprintf(starts, asProgram, d.dir, os.Args[0]) + "\n"
	check(t, os.WriteFile(program, []byte(script), 0o700))
	check(t, pinentrytest.Answer(d.dir, answers...))
	d.Pinentry = pinentry.New(program, nil)
	return d
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (d *desk) shown() string {
	d.Helper()
	shown, err := pinentrytest.Shown(d.dir)
	check(d, err)
	return shown
}

func signIn() authenticator.Ask {
	return authenticator.Ask{
		Operation: authenticator.OperationSignIn,
		RP:        ctap.RelyingParty{ID: "example.com", Name: "<b>Ex</b>\nSETDESC forged"},
		Accounts:  []ctap.User{{ID: []byte{1}, Name: "alice 100%", DisplayName: "Alice"}},
		Caller:    ctap.Caller{Programs: []string{"firefox", "gnome-shell"}},
	}
}

func accounts(n int) (all []ctap.User) {
	for i := range n {
		all = append(all, ctap.User{ID: []byte{byte(i)}, Name: fmt.Sprintf("user%d", i)})
	}
	return all
}

// A dialog says what, for whom and who asks, whatever a site calls itself.
func TestDialogSaysWhatForWhomAndWhoAsks(t *testing.T) {
	t.Parallel()
	d := sit(t, "yes")
	if _, err := d.Approve(t.Context(), signIn()); err != nil {
		t.Error(err)
	}
	want := `SETTITLE LocalPasskey
SETDESC Sign in to example.com
  which calls itself: ‹b›Ex‹/b› SETDESC forged
  account: alice 100% (Alice)
  asked by (a hint, programs can lie): firefox ← gnome-shell
SETOK Sign in
SETCANCEL Refuse
CONFIRM
`
	if got := d.shown(); got != want {
		t.Errorf("shown:\n%s\nwant:\n%s", got, want)
	}
}

// A page's dialog says which page, and who refuses there gets the browser's own devices.
func TestDialogSaysWhichPage(t *testing.T) {
	t.Parallel()
	d := sit(t, "no")
	ask := signIn()
	ask.Caller.Page, ask.Caller.Top = "https://login.example.com\nSETOK forged", "https://shop.example:8443"
	if _, err := d.Approve(t.Context(), ask); !errors.Is(err, ctap.OperationDenied) {
		t.Error(err)
	}
	want := `SETTITLE LocalPasskey
SETDESC Sign in to example.com
  which calls itself: ‹b›Ex‹/b› SETDESC forged
  account: alice 100% (Alice)
  on the page: https://login.example.com SETOK forged
  which is part of: https://shop.example:8443
  asked by (a hint, programs can lie): firefox ← gnome-shell
SETOK Sign in
SETCANCEL Use another device
CONFIRM
`
	if got := d.shown(); got != want {
		t.Errorf("shown:\n%s\nwant:\n%s", got, want)
	}
}

func TestOnlyOKIsAYes(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]error{
		"yes": nil, "no": ctap.OperationDenied, "next": ctap.OperationDenied,
		"broken": ctap.OperationDenied, "garbage": ctap.OperationDenied,
	} {
		if _, err := sit(t, answer).Approve(t.Context(), signIn()); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", answer, err, want)
		}
	}
}

func TestPIN(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers []string
		typed   []string
		want    error
	}{
		"right":          {[]string{"pin schön 100%"}, []string{"schön 100%"}, nil},
		"wrong and then": {[]string{"pin 0", "pin schön 100%"}, []string{"0", "schön 100%"}, nil},
		"given up":       {[]string{"pin 0", "no"}, []string{"0"}, ctap.OperationDenied},
		"nothing typed":  {[]string{"yes"}, nil, ctap.OperationDenied},
		"cancelled":      {[]string{"no"}, nil, ctap.OperationDenied},
		"locked":         {[]string{"pin 0", "pin 1", "pin 2", "pin 3"}, []string{"0", "1", "2"}, ctap.UVBlocked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := sit(t, c.answers...)
			var typed []string
			ask := signIn()
			ask.Retries = 3
			ask.Verify = func(_ context.Context, pin secret.Bytes) error {
				typed = append(typed, string(pin.Reveal()))
				switch left := ask.Retries - len(typed); {
				case string(pin.Reveal()) == "schön 100%":
					return nil
				case left == 0:
					return ctap.UVBlocked
				default:
					return &authenticator.WrongPIN{Retries: left}
				}
			}
			if _, err := d.Approve(t.Context(), ask); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if !slices.Equal(typed, c.typed) {
				t.Errorf("typed %q, want %q", typed, c.typed)
			}
			shown := d.shown()
			if !strings.Contains(shown, "\n\n3 tries left.\nSETPROMPT PIN:\nSETOK") {
				t.Errorf("the first dialog does not say how many tries there are:\n%s", shown)
			}
			if again := len(c.answers) > 1; again != strings.Contains(shown, "\n\n2 tries left.\nSETPROMPT PIN:\nSETERROR Wrong PIN.\n") {
				t.Errorf("what was wrong:\n%s", shown)
			}
		})
	}
}

// Accounts come one page each, and the one that was taken is the one that is named
// where the PIN is typed.
func TestAccounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers []string
		account int
		want    error
	}{
		"first":  {[]string{"yes"}, 0, nil},
		"third":  {[]string{"next", "next", "yes"}, 2, nil},
		"none":   {[]string{"next"}, 0, ctap.OperationDenied},
		"cancel": {[]string{"next", "no"}, 0, ctap.OperationDenied},
	} {
		d := sit(t, c.answers...)
		ask := signIn()
		ask.Accounts = accounts(3)
		approval, err := d.Approve(t.Context(), ask)
		if approval.Account != c.account || !errors.Is(err, c.want) {
			t.Errorf("%s: account %d, %v", name, approval.Account, err)
		}
		shown := d.shown()
		for i := range 3 {
			page := fmt.Sprintf("account: user%d\n", i)
			turn := fmt.Sprintf("This is account %d of 3.", i+1)
			if want := name == "none" || i < len(c.answers); strings.Contains(shown, page) != want || strings.Contains(shown, turn) != want {
				t.Errorf("%s, page %d:\n%s", name, i, shown)
			}
		}
	}
	d := sit(t, "next", "yes", "pin 1234")
	ask := signIn()
	ask.Accounts = accounts(2)
	ask.Verify = func(context.Context, secret.Bytes) error { return nil }
	approval, err := d.Approve(t.Context(), ask)
	if approval.Account != 1 || err != nil {
		t.Errorf("account %d, %v", approval.Account, err)
	}
	shown := d.shown()
	if last := shown[strings.LastIndex(shown, "SETTITLE"):]; !strings.Contains(last, "account: user1\n") || !strings.Contains(last, "GETPIN") {
		t.Errorf("the dialog for the PIN:\n%s", last)
	}
}

// A reset is more than one key.
func TestReset(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]error{"pin reset": nil, "pin yes": ctap.OperationDenied, "yes": ctap.OperationDenied} {
		d := sit(t, answer)
		ask := authenticator.Ask{Operation: authenticator.OperationReset, Lost: 60}
		for i := range 50 {
			ask.Losses = append(ask.Losses, fmt.Sprintf("site%d.example: %s", i, strings.Repeat("x", 60)))
		}
		if _, err := d.Approve(t.Context(), ask); !errors.Is(err, want) {
			t.Errorf("%s: %v", answer, err)
		}
		if shown := d.shown(); !strings.Contains(shown, "DESTROY all passkeys of this authenticator, 60 in number") ||
			!strings.Contains(shown, "site7.example") || !strings.Contains(shown, "and 52 more") {
			t.Errorf("shown:\n%s", shown)
		}
	}
}

// A dialog closes within 200 ms when it is withdrawn, even if the program would not.
func TestWithdrawn(t *testing.T) {
	t.Parallel()
	for answer, d := range map[string]*desk{
		"hold": sit(t, "hold"), "stubborn": sit(t, "stubborn"),
		"behind a script":          sitBehind(t, "%s='%s' '%s'; true", "hold"),
		"stubborn behind one":      sitBehind(t, "%s='%s' '%s'; true", "stubborn"),
		"out of reach, behind one": sitBehind(t, "%s='%s' setsid timeout 5 '%s'; true", "hold"),
	} {
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { _, err := d.Approve(ctx, signIn()); result <- err }()
		for shown := ""; !strings.Contains(shown, "CONFIRM"); shown += d.shown() {
			time.Sleep(5 * time.Millisecond)
		}
		cancel()
		began := time.Now()
		select {
		case err := <-result:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", answer, err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: still asking", answer)
		}
		t.Logf("%s: closed after %s", answer, time.Since(began).Round(time.Millisecond))
		check(t, pinentrytest.Answer(d.dir, "yes"))
		if _, err := d.Approve(t.Context(), signIn()); err != nil {
			t.Errorf("the next question: %v", err)
		}
	}
}

// Where the program cannot show a dialog, the terminal asks.
func TestFallsBackToTheTerminal(t *testing.T) {
	t.Parallel()
	for _, program := range []string{sit(t, "broken").Program, "/nonexistent/pinentry", "/bin/true", "/bin/echo"} {
		pty := ptytest.New(t)
		terminal, err := prompt.Open(pty.Path)
		check(t, err)
		result := make(chan error, 1)
		go func() { _, err := pinentry.New(program, terminal).Approve(t.Context(), signIn()); result <- err }()
		pty.Expect("refuses: ")
		pty.Type("yes\n")
		if err := <-result; err != nil {
			t.Errorf("%s: %v", program, err)
		}
		check(t, terminal.Close())
	}
}

// Debian's own program on a terminal, where it is installed.
func TestRealProgramOnATerminal(t *testing.T) {
	t.Parallel()
	program, ok := pinentry.Find("pinentry-tty")
	if !ok {
		t.Skip("pinentry-tty is not here")
	}
	pty := ptytest.New(t)
	terminal, err := prompt.Open(pty.Path)
	check(t, err)
	defer terminal.Close()
	before := pty.Mode()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestBehindARealProgram$", "-test.v")
	cmd.Env = append(os.Environ(), "PINENTRY_TEST_REAL="+program)
	check(t, pty.Start(cmd))
	question := pty.Expect("PIN:")
	if !strings.Contains(question, "Sign in to example.com") || !strings.Contains(question, "alice 100% (Alice)") {
		t.Errorf("asked:\n%s", question)
	}
	pty.Type("wröng\n")
	pty.Expect("Wrong PIN.")
	pty.Expect("PIN:")
	pty.Type("1234\n")
	pty.Expect("--- PASS")
	check(t, cmd.Wait())
	if strings.Contains(pty.Output(), "1234") {
		t.Error("what was typed is on the terminal")
	}
	if pty.Mode() != before {
		t.Error("the terminal is not as it was")
	}
}

// TestBehindARealProgram asks at the terminal that the test above has.
func TestBehindARealProgram(t *testing.T) {
	program := os.Getenv("PINENTRY_TEST_REAL")
	if program == "" {
		t.Skip("runs behind TestRealProgramOnATerminal")
	}
	terminal, err := prompt.Open("/dev/tty")
	check(t, err)
	defer terminal.Close()
	ask := signIn()
	ask.Retries = 3
	var typed []string
	ask.Verify = func(_ context.Context, pin secret.Bytes) error {
		if typed = append(typed, string(pin.Reveal())); len(typed) == 1 {
			return &authenticator.WrongPIN{Retries: 2}
		}
		return nil
	}
	if _, err := pinentry.New(program, terminal).Approve(t.Context(), ask); err != nil {
		t.Error(err)
	}
	if !slices.Equal(typed, []string{"wröng", "1234"}) {
		t.Errorf("typed %q", typed)
	}
}

// A question of our own: only its yes is one.
func TestChoose(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{"yes": true, "no": false, "broken": false} {
		d := sit(t, answer)
		if got := d.Choose(t.Context(), "nag asks again", "Not this program", "Go on showing it"); got != want {
			t.Errorf("%s: %t", answer, got)
		}
		if shown := d.shown(); want && (!strings.Contains(shown, "nag asks again") || !strings.Contains(shown, "Not this program")) {
			t.Errorf("shown was %q", shown)
		}
	}
}
