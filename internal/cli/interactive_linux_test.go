package cli_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt/ptytest"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// home is a user's place with a software TPM in it.
type home struct {
	t      *testing.T
	env    []string
	socket string
	tpm    string
}

func moveIn(t *testing.T) *home {
	t.Helper()
	dir := t.TempDir()
	h := &home{t: t, socket: filepath.Join(dir, "run", "socket"), tpm: filepath.Join(dir, "tpm")}
	if err := os.Mkdir(h.tpm, 0o700); err != nil {
		t.Fatal(err)
	}
	h.env = append(os.Environ(), "SOCKET="+h.socket, "STORE="+filepath.Join(dir, "data", "passkeys.db"), "TZ=UTC", "GORACE="+noSleep)
	return h
}

// window is a terminal window with a command in it.
type window struct {
	*ptytest.Terminal
	t    *testing.T
	cmd  *exec.Cmd
	exit chan error
}

// open runs localpasskey in a terminal of its own.
func (h *home) open(args ...string) *window {
	h.t.Helper()
	w := &window{Terminal: ptytest.New(h.t), t: h.t, exit: make(chan error, 1)}
	w.cmd = exec.CommandContext(h.t.Context(), "localpasskey", args...)
	w.cmd.Env = h.env
	if err := w.Start(w.cmd); err != nil {
		h.t.Fatal(err)
	}
	go func() { w.exit <- w.cmd.Wait() }()
	h.t.Cleanup(func() { _ = w.cmd.Process.Kill() })
	return w
}

// exits waits for the command to end with code, and for the terminal to be as
// terminals are.
func (w *window) exits(code int) {
	w.t.Helper()
	err := <-w.exit
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	}
	if got != code {
		w.t.Fatalf("exit code %d, want %d; on the terminal: %s", got, code, w.Output())
	}
	if !w.Echo() {
		w.t.Error("the echo did not come back")
	}
}

// ends has the daemon end, which it does in order. (Ctrl-C would reach its software
// TPM as well.)
func (w *window) ends() {
	w.t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		w.t.Fatal(err)
	}
	w.exits(0)
}

const pin = "correct horse"

// daemon runs the daemon in a window and has it set up in another.
func (h *home) daemon() *window {
	h.t.Helper()
	d := h.open("daemon", "--user", "--tpm", h.tpm)
	d.Expect("any program of yours can open the TPM as well.")
	d.Expect("Listening on " + h.socket)
	s := h.open("setup")
	s.Expect("this is a software TPM")
	s.Expect("passkeys on it are lost. Register a second one, on another device, at each service.")
	s.Expect("letters as well as digits")
	s.Expect("New PIN (letters, digits, spaces; nothing cancels): ")
	s.Type(pin + "\n")
	s.Expect("The same again: ")
	s.Type(pin + "\n")
	s.Expect("LocalPasskey is set up.")
	s.exits(0)
	if strings.Contains(s.Output(), pin) {
		h.t.Error("the PIN is on the screen")
	}
	return d
}

// register registers as a browser does, and gives what came of it.
func (h *home) register(account string) <-chan error {
	result := make(chan error, 1)
	go func() {
		conn, err := socket.Dial(h.t.Context(), h.socket)
		if err != nil {
			result <- err
			return
		}
		defer conn.Close()
		yes := true
		_, err = ctap.NewClient(conn).MakeCredential(h.t.Context(), &ctap.MakeCredentialRequest{
			ClientDataHash: hash("register"),
			RP:             &ctap.RelyingParty{ID: "example.com"},
			User:           &ctap.User{ID: []byte(account), Name: account},
			Parameters:     []ctap.Parameter{{Algorithm: cose.ES256, Type: ctap.PublicKeyType}},
			Options:        &ctap.Options{RK: &yes, UV: &yes},
		})
		result <- err
	}()
	return result
}

func TestAtTheTerminal(t *testing.T) {
	t.Parallel()
	h := moveIn(t)
	d := h.daemon()

	registered := h.register("alice")
	seen := d.Expect("PIN to allow it, 3 tries left; nothing refuses: ")
	if !strings.Contains(seen, "Create a passkey for example.com\n  account: alice\n  asked by (a hint, programs can lie): cli.test ← ") {
		t.Errorf("the question reads %q", seen)
	}
	d.Type(pin + "\n")
	d.Expect("Allowed.")
	if err := <-registered; err != nil {
		t.Fatal(err)
	}

	refused := h.register("bob")
	d.Expect("nothing refuses: ")
	d.Type("\n")
	d.Expect("Refused.")
	if err := <-refused; !errors.Is(err, ctap.OperationDenied) {
		t.Errorf("%v, want a refusal", err)
	}

	change := h.open("pin", "change")
	change.Expect("PIN in use: ")
	change.Type(pin + "\n")
	change.Expect("New PIN")
	change.Type("one thing\n")
	change.Expect("The same again: ")
	change.Type("another thing\n")
	change.Expect("the two PINs differ, nothing was changed")
	change.exits(1)

	del := h.open("delete", "example.com")
	del.Expect("This deletes the passkey of alice for example.com, for ever.")
	del.Expect("Type example.com to delete it; anything else cancels: ")
	del.Type("example.org\n")
	del.Expect("cancelled, nothing was changed")
	del.exits(4)
	del = h.open("delete", "example.com")
	del.Expect("anything else cancels: ")
	del.Type("example.com\n")
	del.Expect("PIN (8 tries left, nothing cancels): ")
	del.Type("\n")
	del.exits(4)
	del = h.open("delete", "example.com")
	del.Expect("anything else cancels: ")
	del.Type("example.com\n")
	del.Expect("PIN (8 tries left, nothing cancels): ")
	if del.Echo() {
		t.Error("the PIN is shown as it is typed")
	}
	del.Type(pin + "\n")
	del.Expect("The passkey of alice for example.com is deleted.")
	del.exits(0)

	reset := h.open("reset")
	reset.Expect("There are no passkeys to lose.")
	d.Expect("Reset: ")
	d.Expect("Type reset")
	d.Type("reset\n")
	d.Expect("nothing refuses: ")
	d.Type(pin + "\n")
	reset.Expect("Everything is reset.")
	reset.exits(0)

	d.ends()
	if strings.Contains(d.Output(), pin) {
		t.Error("the PIN is on the screen")
	}
}

// However a question at the terminal ends, the terminal works afterwards.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	h := moveIn(t)
	d := h.daemon()

	change := h.open("pin", "change")
	change.Expect("PIN in use: ")
	change.Type("half a P\x03")
	change.Expect("interrupted")
	change.exits(4)

	change = h.open("pin", "change")
	change.Expect("PIN in use: ")
	if err := change.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	change.exits(4)

	// Who gives up waiting takes the question back.
	reset := h.open("reset")
	reset.Expect("The daemon asks you")
	d.Expect("Type reset")
	reset.Type("\x03")
	reset.exits(4)
	d.Expect("Withdrawn.")

	// The daemon can be ended while it asks.
	registered := h.register("alice")
	d.Expect("nothing refuses: ")
	d.ends()
	if err := <-registered; err == nil {
		t.Error("registered without an answer")
	}
}

// Without a terminal, commands that must ask say so instead of reading whatever
// stdin is.
func TestNoTerminal(t *testing.T) {
	t.Parallel()
	h := moveIn(t)
	d := h.daemon()
	cmd := exec.CommandContext(t.Context(), "localpasskey", "pin", "change")
	cmd.Env = h.env
	cmd.Stdin = strings.NewReader(pin + "\n" + pin + "\n")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 2 {
		t.Errorf("%v, want exit code 2", err)
	}
	if want := "localpasskey: there is no terminal to ask at\nhint: run this in a terminal; scripts have --pin-stdin and --yes\n"; stderr.String() != want {
		t.Errorf("stderr is %q, want %q", stderr.String(), want)
	}
	d.ends()
}
