package doctor

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/chip"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/socket"
	"github.com/localpasskey/localpasskey/internal/swtpm"
)

// behind is a daemon with a software TPM.
type behind struct {
	built
	tpm *swtpm.TPM
}

func startDaemon(t *testing.T) behind { return startDaemonOn(t, "") }

// startDaemonOn starts one that looks for fprintd on a bus.
func startDaemonOn(t *testing.T, bus string) behind {
	t.Helper()
	tpm, err := swtpm.Start(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := behind{build(t), tpm}
	dir := t.TempDir()
	b.Socket = filepath.Join(dir, "socket")
	ctx, stop := context.WithCancel(context.Background())
	listening, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		log := slog.New(slog.DiscardHandler)
		ended <- daemon.Run(ctx, daemon.Config{
			StorePath: filepath.Join(dir, "passkeys.db"), OpenTPM: tpm.Opener(), Version: "1.0.0", Log: log, User: prompt.Nobody{Log: log},
			FingerprintBus: bus,
		}, b.Socket, func() { close(listening) })
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = tpm.Close()
	})
	select {
	case <-listening:
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return b
}

// client calls the daemon.
func (b behind) client(do func(c *ctap.Client) error) {
	b.Helper()
	conn, err := socket.Dial(b.Context(), b.Socket)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	if err := do(ctap.NewClient(conn)); err != nil {
		b.Fatal(err)
	}
}

// examine finds one line of the whole examination.
func (b behind) examine(check string) Finding {
	b.Helper()
	for _, f := range Examine(b.Context(), b.Machine) {
		if f.Check == check {
			return f
		}
	}
	b.Fatalf("nothing was found about %q", check)
	return Finding{}
}

func TestDaemon(t *testing.T) {
	b := startDaemon(t)
	expect(t, b.examine("daemon"), OK, "version 1.0.0")
	expect(t, b.examine("set-up"), Problem, "not set up")
	expect(t, b.examine("PIN"), NotNeeded, "")
	expect(t, b.examine("security key"), NotNeeded, "comes with the set-up")
	expect(t, b.examine("TPM maker"), Note, "software TPM")
	expect(t, b.examine("TPM self test"), OK, "")
	expect(t, b.examine("TPM counts PINs"), OK, "tries it out")
	expect(t, b.examine("storage key"), NotNeeded, "none yet")
	expect(t, b.examine("agent"), Problem, "there is none")

	b.client(func(c *ctap.Client) error {
		_, err := c.Vendor(t.Context(), ctap.CommandSetup, nil)
		return err
	})
	expect(t, b.examine("PIN"), Problem, "no PIN is set")
	expect(t, b.examine("security key"), Problem, "offers none")
	expect(t, b.examine("storage key"), OK, "0x81000001")
	b.client(func(c *ctap.Client) error {
		pin := secret.Of([]byte("1234"))
		defer pin.Wipe()
		return ctap.Platform{Authenticator: c, Protocol: pinuv.Two}.SetPIN(t.Context(), pin)
	})
	expect(t, b.examine("PIN"), OK, "8")
	expect(t, b.examine("set-up"), OK, "0 passkeys")
	expect(t, b.examine("TPM counts PINs"), OK, "it does")

	b.Version = "2.0.0"
	expect(t, b.examine("daemon"), Problem, "of version 1.0.0, this program of 2.0.0")
	b.owned("/dev/tpmrm0", 108, 0o660)
	expect(t, b.examine("TPM access"), OK, "the daemon may open")

	b.tpm.Kill()
	expect(t, b.examine("TPM itself"), Problem, "does not answer")
	expect(t, b.examine("set-up"), Problem, "does not answer")
}

func TestLockScreen(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for _, c := range []struct {
		status *ctap.StatusResponse
		want   State
		text   string
	}{
		{nil, NotNeeded, "only the daemon can tell"},
		{&ctap.StatusResponse{}, NotNeeded, "nobody watches"},
		{&ctap.StatusResponse{LockTold: &no}, Note, "may not withdraw"},
		{&ctap.StatusResponse{LockTold: &yes}, OK, "goes with it"},
	} {
		expect(t, (&answers{status: c.status}).lockScreen(), c.want, c.text)
	}
}

func TestPasswordOfTheOwner(t *testing.T) {
	b := startDaemon(t)
	expect(t, b.examine("TPM owner password"), OK, "none")
	expect(t, b.examine("TPM lockout"), OK, "no password")
	conn, err := b.tpm.Opener()(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, handle := range []tpm2.TPMHandle{tpm2.TPMRHOwner, tpm2.TPMRHLockout} {
		_, err = tpm2.HierarchyChangeAuth{
			AuthHandle: tpm2.AuthHandle{Handle: handle, Auth: tpm2.PasswordAuth(nil)},
			NewAuth:    tpm2.TPM2BAuth{Buffer: []byte("somebody's")},
		}.Execute(conn)
		if err != nil {
			t.Fatal(err)
		}
	}
	expect(t, b.examine("TPM owner password"), Problem, "somebody has set one")
	expect(t, b.examine("TPM lockout"), OK, "only who knows a password")
}

func TestNoDaemon(t *testing.T) {
	b := behind{built: build(t)}
	expect(t, b.examine("daemon"), Problem, "no place for its socket")
	b.Socket = filepath.Join(t.TempDir(), "socket")
	expect(t, b.examine("daemon"), Problem, "no daemon answers at "+b.Socket)
	for _, check := range []string{"TPM itself", "set-up", "PIN", "security key", "agent"} {
		expect(t, b.examine(check), NotNeeded, "only the daemon can tell, and none answers")
	}
	if !Sick(Examine(t.Context(), b.Machine)) {
		t.Error("a machine without anything is said to be well")
	}
	if Sick([]Finding{ok("x", ""), notNeeded("y", "")}) {
		t.Error("a machine without a problem is said to have one")
	}
	b.file("/usr/lib/systemd/system/localpasskey.service", "[Service]\n", 0o644)
	b.file(serviceSocket, "", 0o666)
	expect(t, b.examine("daemon"), Problem, "no daemon answers at "+b.at(serviceSocket))
	if f := b.examine("daemon"); f.Hint != "run: sudo systemctl restart localpasskey; `journalctl -u localpasskey` tells why it ended" {
		t.Errorf("hint %q", f.Hint)
	}
}

// TestWhatTheDaemonSays is of states that take long to bring about, or a chip that is
// not here.
func TestWhatTheDaemonSays(t *testing.T) {
	on := func(s ctap.StatusResponse) *answers { return &answers{status: &s} }
	expect(t, on(ctap.StatusResponse{SetUp: true, PINSet: true}).pin(), Problem, "locked for good")
	expect(t, on(ctap.StatusResponse{SetUp: true, PINSet: true, PINRetries: 5, Reinsert: true}).pin(), Problem, "three wrong")
	expect(t, on(ctap.StatusResponse{SetUp: true, Node: "/dev/hidraw3"}).key(), OK, "/dev/hidraw3")
	expect(t, on(ctap.StatusResponse{NodeProblem: &ctap.Problem{What: "no permission"}}).key(), Problem, "no permission")
	expect(t, on(ctap.StatusResponse{Prompt: ctap.PromptAgent}).agent(), OK, "in your session")
	expect(t, on(ctap.StatusResponse{Prompt: ctap.PromptTerminal}).agent(), NotNeeded, "in its own terminal")

	only(t, (&answers{status: &ctap.StatusResponse{}, old: errors.New("invalid command")}).chip(), Problem, "invalid command")
	broken := (&answers{status: &ctap.StatusResponse{}, report: &chip.Report{Manufacturer: "INTC", SelfTest: 0x101}}).chip()
	if len(broken) != 2 {
		t.Fatalf("%v", broken)
	}
	expect(t, broken[1], Problem, "failed, with code 0x101")

	expect(t, maker(&chip.Report{Manufacturer: "INTC", Model: "Intel", Firmware: "403.1", Revision: 138}), OK, "INTC Intel, firmware 403.1, specification 1.38")
	expect(t, maker(&chip.Report{Manufacturer: "MSFT", Model: "Pluton"}), OK, "Pluton")
	expect(t, maker(&chip.Report{Manufacturer: "MSFT", Model: "xCG fTPM"}), Note, "software TPM")
	expect(t, pinIndex(&chip.Report{Revision: 138, Missing: []string{"PolicyTicket"}}, true), Problem, "PolicyTicket")
	expect(t, pinIndex(&chip.Report{Revision: 116}, false), Problem, "1.16 is older than 1.38")
	expect(t, lockout(&chip.Report{InLockout: true}), Problem, "counted apart")
	expect(t, storageKey(&chip.Report{StorageKey: chip.StorageUnusable, StorageProblem: "not a storage key"}), Problem, "not a storage key")
}

func TestBeforeSetUp(t *testing.T) {
	good := chip.Report{Manufacturer: "INTC", Firmware: "403.1", Revision: 138, InLockout: true, LockoutAuth: true}
	made, hinders := BeforeSetUp(&good)
	expect(t, made, OK, "INTC, firmware 403.1")
	if hinders != nil {
		t.Errorf("hinders: %+v", hinders)
	}
	for want, spoil := range map[string]func(*chip.Report){
		"PolicyTicket":     func(r *chip.Report) { r.Missing = []string{"PolicyTicket"} },
		"older than 1.38":  func(r *chip.Report) { r.Revision = 116 },
		"code 0x101":       func(r *chip.Report) { r.SelfTest = 0x101 },
		"set-up and reset": func(r *chip.Report) { r.OwnerAuth = true },
		"no storage key":   func(r *chip.Report) { r.StorageKey, r.StorageProblem = chip.StorageUnusable, "no storage key" },
		"does not answer":  func(r *chip.Report) { r.Problem = &ctap.Problem{What: "the TPM does not answer"} },
	} {
		r := good
		spoil(&r)
		_, hinders := BeforeSetUp(&r)
		if hinders == nil {
			t.Errorf("%s does not hinder", want)
			continue
		}
		expect(t, *hinders, Problem, want)
	}
}
