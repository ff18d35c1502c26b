package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/demo/attacker"
	"github.com/localpasskey/localpasskey/internal/demo/site"
	"github.com/localpasskey/localpasskey/internal/swtpm"
	"github.com/localpasskey/localpasskey/internal/tpm/node"
)

// realDaemon is what cmd/localpasskey-demo connects.
func realDaemon(ctx context.Context, d DaemonConfig) error {
	return daemon.Run(ctx, daemon.Config{
		StorePath: d.Store, OpenTPM: d.OpenTPM, User: d.User, Version: "test", Log: slog.New(slog.DiscardHandler),
	}, d.Socket, d.Listening)
}

// leavesNothing fails the test if it ends with a child process or a file of the
// run. Tests that use it do not run in parallel.
func leavesNothing(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Cleanup(func() {
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left in the temporary directory: %v, %v", left, err)
		}
		if left := children(t); len(left) != 0 {
			t.Errorf("left running: %q", left)
		}
	})
}

// children lists this process's children, those that have ended and were not waited
// for included.
func children(t *testing.T) []string {
	t.Helper()
	if runtime.GOOS != "linux" {
		return nil
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		_, rest, _ := bytes.Cut(stat, []byte(") "))
		var state byte
		var parent int
		if _, err := fmt.Sscanf(string(rest), "%c %d", &state, &parent); err == nil && parent == os.Getpid() {
			found = append(found, string(stat[:min(len(stat), 40)]))
		}
	}
	return found
}

func stepNames() []string {
	return []string{
		"set a PIN", "register", "sign in with an allow-list", "sign in as discoverable login",
		"copy the store to a second TPM", "sign without the PIN",
		"define the PIN index anew, with a PIN of his own", "guess the PIN",
	}
}

func TestRun(t *testing.T) {
	leavesNothing(t)
	var out, errs bytes.Buffer
	err := Run(t.Context(), Config{Daemon: realDaemon, Out: &out, Err: &errs})
	t.Logf("\n%s%s", out.String(), errs.String())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if got := lines[len(lines)-1]; got != "main job: ok" {
		t.Errorf("the run ends with %q", got)
	}
	if len(lines) >= 30 {
		t.Errorf("%d lines do not fit on a screen", len(lines))
	}
	for _, name := range stepNames() {
		if !slices.Contains(lines, "  ✓ "+name) {
			t.Errorf("no tick at %q", name)
		}
	}
	if !strings.Contains(lines[0], "This is a software TPM: it proves the flow, not the hardware") {
		t.Errorf("the first line does not say what the TPM is worth: %q", lines[0])
	}
}

// report is the JSON that scripts read.
type report struct {
	TPM   string `json:"tpm"`
	Steps []struct {
		Name  string         `json:"name"`
		OK    bool           `json:"ok"`
		Facts map[string]any `json:"facts"`
		Error string         `json:"error"`
	} `json:"steps"`
	OK bool `json:"ok"`
}

func parse(t *testing.T, out []byte) report {
	t.Helper()
	var r report
	decoder := json.NewDecoder(bytes.NewReader(out))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if decoder.More() {
		t.Fatalf("more than one object: %s", out)
	}
	return r
}

func TestRunJSON(t *testing.T) {
	leavesNothing(t)
	var out, errs bytes.Buffer
	if err := Run(t.Context(), Config{Daemon: realDaemon, JSON: true, Out: &out, Err: &errs}); err != nil {
		t.Fatal(err, out.String())
	}
	r := parse(t, out.Bytes())
	var names []string
	for _, s := range r.Steps {
		names = append(names, s.Name)
		if !s.OK || s.Error != "" || len(s.Facts) == 0 {
			t.Errorf("step %+v", s)
		}
	}
	if !r.OK || r.TPM != "swtpm" || !slices.Equal(names, stepNames()) {
		t.Errorf("%+v", r)
	}
	for step, want := range map[int]map[string]any{
		1: {"up": true, "uv": true, "be": false, "bs": false, "counter": 0.0, "fmt": "packed", "aaguid": "7e189a23-4532-4e63-a8cb-aa03d6dd7e5e"},
		2: {"up": true, "uv": true, "be": false, "bs": false, "counter": 1.0},
		3: {"up": true, "uv": true, "be": false, "bs": false, "counter": 2.0},
		4: {"load_there": "TPM_RC_INTEGRITY"},
		5: {"daemon": "CTAP2_ERR_PUAT_REQUIRED", "tpm_password": "TPM_RC_AUTH_UNAVAILABLE", "tpm_policy": "TPM_RC_POLICY_FAIL"},
		6: {"write_as_owner": "TPM_RC_NV_AUTHORIZATION", "sign_with_his_pin": "TPM_RC_AUTH_UNAVAILABLE"},
		7: {"wrong_pins": 8.0, "right_pin": "CTAP2_ERR_PIN_BLOCKED", "lockout_counter": 0.0},
	} {
		for fact, value := range want {
			if got := r.Steps[step].Facts[fact]; got != value {
				t.Errorf("%s: %s is %v, want %v", r.Steps[step].Name, fact, got, value)
			}
		}
	}
}

// A site that expects another origin must refuse the registration, and the run must
// say where and why it failed.
func TestFailureIsTold(t *testing.T) {
	elsewhere := func(ctx context.Context) (*site.Site, error) {
		return site.Open(ctx, "127.0.0.1:0", "https://elsewhere.example")
	}
	for _, asJSON := range []bool{false, true} {
		t.Run(fmt.Sprint(asJSON), func(t *testing.T) {
			leavesNothing(t)
			var out bytes.Buffer
			err := run(t.Context(), Config{Daemon: realDaemon, JSON: asJSON, Out: &out, Err: io.Discard}, elsewhere)
			if !errors.Is(err, ErrFailed) {
				t.Fatalf("got %v, want ErrFailed", err)
			}
			if asJSON {
				r := parse(t, out.Bytes())
				last := r.Steps[len(r.Steps)-1]
				if r.OK || len(r.Steps) != 2 || last.OK || last.Name != "register" || last.Error == "" {
					t.Errorf("%+v", r)
				}
				return
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			last := lines[len(lines)-1]
			if !strings.HasPrefix(last, "main job: FAILED at register: the site refuses: ") || !strings.Contains(last, "origin") {
				t.Errorf("the run ends with %q", last)
			}
		})
	}
}

// obliging types the PIN wherever it is asked for: a daemon that signs for anybody
// at the socket.
type obliging struct{ authenticator.User }

func (o obliging) Approve(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	if ask.Verify != nil {
		if err := ask.Verify(ctx, examplePIN()); err != nil {
			return authenticator.Approval{}, err
		}
	}
	return o.User.Approve(ctx, ask)
}

// A run on a daemon that gives in must fail: an attack that succeeds is never a tick.
func TestSuccessfulAttackFails(t *testing.T) {
	leavesNothing(t)
	var out bytes.Buffer
	err := Run(t.Context(), Config{Out: &out, Err: io.Discard, Daemon: func(ctx context.Context, d DaemonConfig) error {
		return daemon.Run(ctx, daemon.Config{
			StorePath: d.Store, OpenTPM: d.OpenTPM, User: obliging{d.User}, BuiltInUV: func() bool { return true },
			Version: "test", Log: slog.New(slog.DiscardHandler),
		}, d.Socket, d.Listening)
	}})
	if !errors.Is(err, ErrFailed) || !strings.Contains(out.String(), "\nmain job: FAILED at sign without the PIN: ") {
		t.Errorf("got %v:\n%s", err, out.String())
	}
}

// chipOf is a chip with what tests look at.
type chipOf struct{ attacker.Attacker }

// aChip is a TPM that stays on between runs, with somebody else's index in the range.
func aChip(t *testing.T) (chipOf, []tpm2.TPMHandle) {
	t.Helper()
	chip, err := swtpm.Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := chip.Close(); err != nil {
			t.Error(err)
		}
	})
	a := chipOf{attacker.Attacker{Open: chip.Opener()}}
	err = a.At(t.Context(), func(t transport.TPM) error {
		_, err := tpm2.NVDefineSpace{AuthHandle: attacker.Owner(), PublicInfo: tpm2.New2B(tpm2.TPMSNVPublic{
			NVIndex: attacker.FirstIndex, NameAlg: tpm2.TPMAlgSHA256, DataSize: 8,
			Attributes: tpm2.TPMANV{OwnerRead: true, OwnerWrite: true},
		})}.Execute(t)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return a, []tpm2.TPMHandle{attacker.FirstIndex}
}

func (a chipOf) list(t *testing.T) (found []tpm2.TPMHandle) {
	t.Helper()
	if err := a.At(t.Context(), func(t transport.TPM) (err error) { found, err = attacker.Indices(t); return err }); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestChip(t *testing.T) {
	a, before := aChip(t)
	for name, c := range map[string]struct {
		in   io.Reader
		want string
	}{
		"nobody": {nil, "nobody is there"}, "no": {strings.NewReader("n\n"), "nothing was written"},
		"nothing": {strings.NewReader(""), "nothing was written"}, "perhaps": {strings.NewReader("yeah\n"), "nothing was written"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			err := Run(t.Context(), Config{Daemon: realDaemon, Chip: a.Open, ChipName: "/dev/x", In: c.in, Out: &out, Err: &errs})
			if last := "main job: FAILED at start: "; !errors.Is(err, ErrFailed) || !strings.Contains(out.String(), last) || !strings.Contains(out.String(), c.want) {
				t.Errorf("got %v:\n%s", err, out.String())
			}
			if !strings.Contains(errs.String(), "NV index") || !strings.Contains(errs.String(), "0x81000001") {
				t.Errorf("what would be written is not listed: %s", errs.String())
			}
			if lacks, err := (&demo{Config: Config{Chip: a.Open}}).lacksSRK(t.Context()); err != nil || !lacks {
				t.Errorf("the storage key is there (%v)", err)
			}
		})
	}
	for _, left := range []string{"the storage key at 0x81000001", "nothing"} {
		var out bytes.Buffer
		c := Config{Daemon: realDaemon, Chip: a.Open, ChipName: "/dev/x", In: strings.NewReader("y\n"), Out: &out, Err: io.Discard}
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err, out.String())
		}
		if !strings.Contains(out.String(), "Left on the chip: "+left) {
			t.Errorf("what is left is not told (%s):\n%s", left, out.String())
		}
		if after := a.list(t); !slices.Equal(after, before) {
			t.Errorf("indices %x, before %x", after, before)
		}
	}
}

// An interrupted run leaves nothing on a chip either.
func TestChipInterrupted(t *testing.T) {
	a, before := aChip(t)
	ctx, cancel := context.WithCancel(t.Context())
	out := &trigger{at: []byte("✓ register"), then: cancel}
	err := Run(ctx, Config{Daemon: realDaemon, Chip: a.Open, ChipName: "/dev/x", In: strings.NewReader("y\n"), Out: out, Err: io.Discard})
	if !errors.Is(err, ErrFailed) {
		t.Errorf("got %v:\n%s", err, out)
	}
	if after := a.list(t); !slices.Equal(after, before) {
		t.Errorf("indices %x, before %x", after, before)
	}
}

// trigger is a buffer that does something when a text has been written to it.
type trigger struct {
	bytes.Buffer
	at   []byte
	then func()
}

func (b *trigger) Write(p []byte) (int, error) {
	n, err := b.Buffer.Write(p)
	if b.then != nil && bytes.Contains(b.Bytes(), b.at) {
		b.then()
		b.then = nil
	}
	return n, err
}

func TestServe(t *testing.T) {
	leavesNothing(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	errs := &trigger{at: []byte("browser knows."), then: func() {}}
	errs.then = func() {
		defer cancel()
		fields := strings.Fields(errs.String())
		url := fields[slices.IndexFunc(fields, func(f string) bool { return strings.HasPrefix(f, "http://localhost:") })]
		response, err := http.Get(url + "/")
		if err != nil {
			t.Error(err)
			return
		}
		defer response.Body.Close()
		content, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK || !bytes.Contains(content, []byte(`id="register"`)) {
			t.Errorf("%v, %s: %s", err, response.Status, content)
		}
	}
	if err := Run(ctx, Config{Daemon: realDaemon, Serve: "127.0.0.1:0", Out: &out, Err: errs}); err != nil {
		t.Fatal(err, out.String())
	}
	if !strings.Contains(errs.String(), "only once it is installed") {
		t.Errorf("the page's limits are not told: %s", errs)
	}
}

// An address for the page that cannot be had is told before anything runs.
func TestServeRefusesNetwork(t *testing.T) {
	leavesNothing(t)
	var out bytes.Buffer
	err := Run(t.Context(), Config{Daemon: realDaemon, Serve: "0.0.0.0:0", Out: &out, Err: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1") || out.Len() != 0 {
		t.Errorf("got %v:\n%s", err, out.String())
	}
}

func TestChipThatIsNotThere(t *testing.T) {
	leavesNothing(t)
	var out bytes.Buffer
	err := Run(t.Context(), Config{
		Daemon: realDaemon, Chip: node.Open("/dev/no-such-tpm"), ChipName: "/dev/no-such-tpm", In: strings.NewReader("y\n"),
		Out: &out, Err: io.Discard,
	})
	if !errors.Is(err, ErrFailed) || !strings.HasPrefix(out.String(), "  ✗ start\nmain job: FAILED at start: this machine has no TPM 2.0") ||
		!strings.Contains(out.String(), "; hint: ") {
		t.Errorf("got %v:\n%s", err, out.String())
	}
}

func TestRunWithoutDaemon(t *testing.T) {
	leavesNothing(t)
	var out bytes.Buffer
	refuses := errors.New("no daemon today")
	err := Run(t.Context(), Config{
		Out: &out, Err: io.Discard,
		Daemon: func(context.Context, DaemonConfig) error { return refuses },
	})
	if !errors.Is(err, ErrFailed) || !strings.Contains(out.String(), "main job: FAILED at set a PIN: ") ||
		!strings.Contains(out.String(), refuses.Error()) {
		t.Errorf("got %v:\n%s", err, out.String())
	}
}
