package prompt_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/prompt/ptytest"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// desk is a terminal with somebody at it.
type desk struct {
	*ptytest.Terminal
	terminal *prompt.Terminal
	before   unix.Termios
}

func sit(t *testing.T) *desk {
	t.Helper()
	pty := ptytest.New(t)
	terminal, err := prompt.Open(pty.Path)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{Terminal: pty, terminal: terminal, before: pty.Mode()}
	t.Cleanup(func() {
		if pty.Mode() != d.before {
			t.Error("the terminal is not as it was")
		}
		terminal.Close()
	})
	return d
}

type verdict struct {
	approval authenticator.Approval
	err      error
}

// ask asks beside the test, which answers on the terminal.
func (d *desk) ask(ctx context.Context, ask authenticator.Ask) <-chan verdict {
	result := make(chan verdict, 1)
	go func() {
		approval, err := d.terminal.Approve(ctx, ask)
		result <- verdict{approval, err}
	}()
	return result
}

var alice = ctap.User{ID: []byte{1}, Name: "alice@example.com", DisplayName: "Alice"}

func signIn() authenticator.Ask {
	return authenticator.Ask{
		Operation: authenticator.OperationSignIn,
		RP:        ctap.RelyingParty{ID: "example.com", Name: "Ex\x1b[2Jample"},
		Accounts:  []ctap.User{alice},
		Caller:    ctap.Caller{Programs: []string{"firefox", "gnome-shell"}},
	}
}

// pins is a Verify that takes one PIN and counts what it was given.
type pins struct {
	right   string
	retries int
	typed   []string
}

func (p *pins) verify(_ context.Context, pin secret.Bytes) error {
	p.typed = append(p.typed, string(pin.Reveal()))
	if string(pin.Reveal()) == p.right {
		return nil
	}
	p.retries--
	return &authenticator.WrongPIN{Retries: p.retries}
}

func TestQuestionSaysWhatForWhomAndWhoAsks(t *testing.T) {
	t.Parallel()
	d := sit(t)
	result := d.ask(t.Context(), signIn())
	want := "Sign in to example.com\n" +
		"  which calls itself: Ex[2Jample\n" +
		"  account: alice@example.com (Alice)\n" +
		"  asked by (a hint, programs can lie): firefox ← gnome-shell\n" +
		"Type yes to allow it; anything else refuses: "
	if seen := d.Expect("refuses: "); !strings.HasSuffix(seen, want) {
		t.Errorf("the question reads\n%s\nwant\n%s", seen, want)
	}
	d.Type("yes\n")
	if got := <-result; got.err != nil {
		t.Error(got.err)
	}
	d.Expect("Allowed.")
}

func TestNothingButAYesIsAYes(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"\n", "y\n", "YES\n", "no\n", "yes please\n", "\x04", strings.Repeat("yes ", 200) + "\nyes\n"} {
		d := sit(t)
		result := d.ask(t.Context(), signIn())
		d.Expect("anything else refuses: ")
		d.Type(answer)
		if got := <-result; !errors.Is(got.err, ctap.OperationDenied) {
			t.Errorf("%q: %v, want a refusal", answer, got.err)
		}
		d.Expect("Refused.")
	}
}

func TestWhatWasTypedBeforeDoesNotCount(t *testing.T) {
	t.Parallel()
	d := sit(t)
	d.Type("yes\n")
	d.Expect("yes") // its echo: it is in the terminal now
	result := d.ask(t.Context(), signIn())
	d.Expect("anything else refuses: ")
	d.Type("no\n")
	if got := <-result; !errors.Is(got.err, ctap.OperationDenied) {
		t.Errorf("%v, want a refusal", got.err)
	}
}

// It says that a finger does as well, and when one has answered.
func TestReaderBesideTheTerminal(t *testing.T) {
	t.Parallel()
	d := sit(t)
	ask := signIn()
	ask.Verify = func(context.Context, secret.Bytes) error { return nil }
	ask.ByFinger = func(context.Context) error { t.Error("a prompt has called it"); return nil }
	ctx, cancel := context.WithCancel(t.Context())
	result := d.ask(ctx, ask)
	d.Expect("Touch the fingerprint reader, or type the PIN.\n")
	d.Expect("nothing refuses: ")
	cancel()
	d.Expect("Closed: a finger has answered, or the question was withdrawn.\n")
	if got := <-result; !errors.Is(got.err, context.Canceled) {
		t.Errorf("%v, want it cancelled", got.err)
	}
}

func TestPIN(t *testing.T) {
	t.Parallel()
	d := sit(t)
	p := &pins{right: "pferd åäö", retries: 3}
	ask := signIn()
	ask.Verify, ask.Retries = p.verify, 3
	result := d.ask(t.Context(), ask)
	d.Expect("3 tries left; nothing refuses: ")
	if d.Echo() {
		t.Error("the PIN is shown as it is typed")
	}
	d.Type("battery staple\n")
	d.Expect("Wrong PIN.\n")
	d.Expect("2 tries left; nothing refuses: ")
	d.Type("wrong again\n")
	d.Expect("1 try left; nothing refuses: ")
	d.Type(" " + "pferd åäö\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7fpferd åäö\n") // the erase key works
	if got := <-result; got.err != nil {
		t.Error(got.err)
	}
	d.Expect("Allowed.")
	if want := []string{"battery staple", "wrong again", "pferd åäö"}; !slices.Equal(p.typed, want) {
		t.Errorf("typed %q, want %q", p.typed, want)
	}
	if out := d.Output(); strings.Contains(out, "battery") || strings.Contains(out, "pferd") {
		t.Errorf("a PIN is on the screen: %q", out)
	}
}

func TestPINRefusals(t *testing.T) {
	t.Parallel()
	broken := errors.New("the TPM is gone")
	for name, c := range map[string]struct {
		typed   string
		verify  error
		want    error
		outcome string
		calls   int
	}{
		"nothing typed":     {"\n", nil, ctap.OperationDenied, "Refused.", 0},
		"end of input":      {"\x04", nil, ctap.OperationDenied, "Refused.", 0},
		"the last try gone": {"x\n", &authenticator.WrongPIN{}, ctap.PINBlocked, "no tries left", 1},
		"blocked":           {"x\n", ctap.UVBlocked, ctap.UVBlocked, "no tries left", 1},
		"broken":            {"x\n", broken, broken, "It did not work.", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := sit(t)
			calls := 0
			ask := signIn()
			ask.Retries = 3
			ask.Verify = func(context.Context, secret.Bytes) error { calls++; return c.verify }
			result := d.ask(t.Context(), ask)
			d.Expect("nothing refuses: ")
			d.Type(c.typed)
			if got := <-result; !errors.Is(got.err, c.want) || calls != c.calls {
				t.Errorf("%v after %d calls, want %v after %d", got.err, calls, c.want, c.calls)
			}
			d.Expect(c.outcome)
		})
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]int{"1\n": 0, "3\n": 2, "0\n": -1, "4\n": -1, "-1\n": -1, "\n": -1, "yes\n": -1} {
		d := sit(t)
		ask := signIn()
		ask.Accounts = []ctap.User{alice, {Name: "bob\u202e"}, {}}
		result := d.ask(t.Context(), ask)
		seen := d.Expect("Which account? 1–3; anything else refuses: ")
		if list := "    1  alice@example.com (Alice)\n    2  bob\n    3  (no name)\n"; !strings.Contains(seen, list) {
			t.Errorf("the list reads %q", seen)
		}
		d.Type(typed)
		if want >= 0 {
			d.Expect("Type yes")
			d.Type("yes\n")
		}
		got := <-result
		if refused := errors.Is(got.err, ctap.OperationDenied); refused != (want < 0) || !refused && got.approval.Account != want {
			t.Errorf("%q: account %d, %v; want account %d", typed, got.approval.Account, got.err, want)
		}
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	ask := authenticator.Ask{
		Operation: authenticator.OperationReset,
		Lost:      3, Losses: []string{"example.com: alice", "evil.example: \x1b[1Abob"},
	}
	d := sit(t)
	result := d.ask(t.Context(), ask)
	seen := d.Expect("anything else refuses: ")
	for _, want := range []string{"all passkeys", ", 3 in number,", "  - example.com: alice\n", "  - evil.example: [1Abob\n", "  and 1 more\n"} {
		if !strings.Contains(seen, want) {
			t.Errorf("the question lacks %q: %q", want, seen)
		}
	}
	d.Type("yes\n")
	if got := <-result; !errors.Is(got.err, ctap.OperationDenied) {
		t.Errorf("a reset for a yes: %v", got.err)
	}

	p := &pins{right: "1234", retries: 8}
	ask.Verify, ask.Retries = p.verify, 3
	result = d.ask(t.Context(), ask)
	d.Expect("anything else refuses: ")
	d.Type("reset\n")
	d.Expect("nothing refuses: ")
	d.Type("1234\n")
	if got := <-result; got.err != nil || len(p.typed) != 1 {
		t.Errorf("%v with %d PINs, want a reset after one", got.err, len(p.typed))
	}
}

func TestEveryOperationHasWords(t *testing.T) {
	t.Parallel()
	for operation, want := range map[authenticator.Operation]string{
		authenticator.OperationRegister: "Create a passkey for example.com\n",
		authenticator.OperationSignIn:   "Sign in to example.com\n",
		authenticator.OperationSelect:   "whether this is the authenticator you mean",
		authenticator.OperationExists:   "example.com asks whether this machine has a passkey",
		authenticator.OperationRelax:    "Stop demanding the PIN for every use.",
		authenticator.OperationPIN:      "  - look through, change and DELETE your passkeys for example.com\n",
	} {
		d := sit(t)
		ask := signIn()
		ask.Operation, ask.Permissions = operation, ctap.PermissionCredentialManagement
		result := d.ask(t.Context(), ask)
		d.Expect(want)
		d.Expect("Type yes")
		d.Type("yes\n")
		if got := <-result; got.err != nil {
			t.Errorf("%s: %v", operation, got.err)
		}
	}
	d := sit(t)
	ask := signIn()
	ask.Operation, ask.Replaces = authenticator.OperationRegister, true
	replacing := d.ask(t.Context(), ask)
	d.Expect("It REPLACES the account's passkey that is here")
	d.Expect("Type yes")
	d.Type("no\n")
	if got := <-replacing; !errors.Is(got.err, ctap.OperationDenied) {
		t.Errorf("a no to a replacement: %v", got.err)
	}
	d = sit(t)
	ask = signIn()
	ask.Operation = "transfer everything"
	if got := <-d.ask(t.Context(), ask); !errors.Is(got.err, ctap.OperationDenied) {
		t.Errorf("an operation without words: %v, want a refusal", got.err)
	}
}

func TestTheEndOfTheContextClosesTheQuestion(t *testing.T) {
	t.Parallel()
	d := sit(t)
	ctx, cancel := context.WithCancel(t.Context())
	ask := signIn()
	ask.Verify, ask.Retries = (&pins{}).verify, 3
	result := d.ask(ctx, ask)
	waiting := d.ask(ctx, signIn())
	d.Expect("refuses: ")
	cancel()
	if got := <-result; !errors.Is(got.err, context.Canceled) {
		t.Errorf("%v, want the context's end", got.err)
	}
	if got := <-waiting; !errors.Is(got.err, context.Canceled) {
		t.Errorf("a question that waited: %v, want the context's end", got.err)
	}
	d.Expect("Withdrawn.")
	if !d.Echo() {
		t.Error("the echo did not come back")
	}
	// The next question works.
	line := make(chan string, 1)
	go func() {
		answer, err := d.terminal.Line(t.Context(), "name? ")
		line <- answer + errorText(err)
	}()
	d.Expect("name? ")
	d.Type("  bob \n")
	if got := <-line; got != "bob" {
		t.Errorf("the next answer is %q", got)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestOneQuestionAtATime(t *testing.T) {
	t.Parallel()
	d := sit(t)
	first, second := d.ask(t.Context(), signIn()), d.ask(t.Context(), signIn())
	d.Expect("Type yes")
	d.Type("yes\n")
	d.Expect("Allowed.")
	d.Expect("Type yes")
	d.Type("no\n")
	d.Expect("Refused.")
	errs := []error{(<-first).err, (<-second).err}
	refused := slices.IndexFunc(errs, func(err error) bool { return errors.Is(err, ctap.OperationDenied) })
	if refused < 0 || errs[1-refused] != nil {
		t.Errorf("one yes and one no gave %v", errs)
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	d := sit(t)
	type answer struct {
		pin secret.Bytes
		err error
	}
	got := make(chan answer, 1)
	ask := func() {
		pin, err := d.terminal.Secret(t.Context(), "PIN: ")
		got <- answer{pin, err}
	}
	go ask()
	d.Expect("PIN: ")
	d.Type(" 12 34 \n")
	if a := <-got; a.err != nil || string(a.pin.Reveal()) != " 12 34 " {
		t.Errorf("%q, %v: a PIN is taken as it is typed", a.pin.Reveal(), a.err)
	}
	go ask()
	d.Expect("PIN: ")
	d.Type(strings.Repeat("1", 600) + "\n")
	if a := <-got; !errors.Is(a.err, prompt.ErrTooLong) || !a.pin.IsZero() {
		t.Errorf("600 digits: %v with %d bytes, want %v", a.err, a.pin.Len(), prompt.ErrTooLong)
	}
}

// A terminal whose window is closed ends the question.
func TestHangUp(t *testing.T) {
	t.Parallel()
	pty := ptytest.New(t)
	terminal, err := prompt.Open(pty.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	result := make(chan error, 1)
	go func() {
		_, err := terminal.Approve(t.Context(), signIn())
		result <- err
	}()
	pty.Expect("Type yes")
	pty.Hang()
	if err := <-result; err == nil {
		t.Error("a yes from a terminal that is gone")
	}
}

func TestOpenRefusesWhatIsNoTerminal(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, "/dev/null", filepath.Join(t.TempDir(), "nothing")} {
		if terminal, err := prompt.Open(path); err == nil {
			t.Errorf("%s passes for a terminal", path)
			terminal.Close()
		}
	}
}

func TestNobodyRefuses(t *testing.T) {
	t.Parallel()
	nobody := prompt.Nobody{Log: slog.New(slog.DiscardHandler)}
	if _, err := nobody.Approve(t.Context(), signIn()); !errors.Is(err, ctap.OperationDenied) {
		t.Errorf("%v, want a refusal", err)
	}
}

// Over a device the door knows a node and no process: whoever has it open is named.
func TestQuestionNamesWhoHasTheNodeOpen(t *testing.T) {
	t.Parallel()
	const node = "/dev/full"
	file, err := os.Open(node)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	holder := exec.CommandContext(t.Context(), "sleep", "60")
	holder.ExtraFiles = []*os.File{file}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Process.Kill(); _ = holder.Wait() }()
	d := sit(t)
	ask := signIn()
	ask.Caller = ctap.Caller{Node: node}
	result := d.ask(t.Context(), ask)
	if seen := d.Expect("refuses: "); !strings.Contains(seen, "programs can lie): sleep ← ") {
		t.Errorf("the question reads\n%s", seen)
	}
	d.Type("\n")
	if got := <-result; !errors.Is(got.err, ctap.OperationDenied) {
		t.Error(got.err)
	}
}
