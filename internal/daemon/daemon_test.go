package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/notice"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/proof"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/socket"
	"github.com/localpasskey/localpasskey/internal/store"
	"github.com/localpasskey/localpasskey/internal/swtpm"
	"github.com/localpasskey/localpasskey/internal/tpm"
)

// rig is a daemon with a software TPM and a scripted person.
type rig struct {
	*testing.T
	d      *Daemon
	chip   *swtpm.TPM
	person *ctaptest.Person
	log    *lockedBuffer
}

func newRig(t *testing.T) *rig {
	t.Helper()
	chip, err := swtpm.Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, chip.Close()) })
	r := &rig{T: t, chip: chip, person: ctaptest.NewPerson(ctaptest.Auto, 0), log: &lockedBuffer{}}
	r.d = r.again(t.TempDir()+"/data/passkeys.db", chip.Opener())
	return r
}

// again makes another daemon for the same place.
func (r *rig) again(storePath string, open tpm.Opener) *Daemon {
	d := New(Config{
		StorePath: storePath, OpenTPM: open, User: r.person,
		BuiltInUV: func() bool { return true }, Version: "1.2.3",
		Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	r.Cleanup(func() { check(r, d.Close()) })
	return d
}

// restart ends the daemon and starts another in its place.
func (r *rig) restart() {
	r.Helper()
	check(r, r.d.Close())
	r.d = r.again(r.d.StorePath, r.d.OpenTPM)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// me is a caller that is admitted.
func me() ctap.Caller { return ctap.Caller{UID: os.Getuid(), Door: ctap.DoorSocket} }

func (r *rig) channel() ctap.Authenticator { return r.d.Channel(me()) }

func (r *rig) setup() {
	r.Helper()
	_, err := r.channel().Vendor(r.Context(), ctap.CommandSetup, nil)
	check(r, err)
}

func (r *rig) status() *ctap.StatusResponse {
	r.Helper()
	status, err := ctap.Call[ctap.StatusResponse](r.Context(), r.channel(), ctap.CommandStatus, nil)
	check(r, err)
	return status
}

const (
	testPIN = "correct horse"
	site    = "example.com"
	account = "alice"
)

func (r *rig) setPIN() {
	r.Helper()
	platform := ctap.Platform{Authenticator: r.channel(), Protocol: pinuv.Two}
	check(r, platform.SetPIN(r.Context(), secret.Of([]byte(testPIN))))
	r.person.SetPINs(testPIN)
}

func register(ctx context.Context, a ctap.Authenticator) error {
	yes := true
	hash := sha256.Sum256([]byte("client data"))
	_, err := a.MakeCredential(ctx, &ctap.MakeCredentialRequest{
		ClientDataHash: hash[:],
		RP:             &ctap.RelyingParty{ID: site},
		User:           &ctap.User{ID: []byte(account), Name: account},
		Parameters:     []ctap.Parameter{{Algorithm: cose.ES256, Type: ctap.PublicKeyType}},
		Options:        &ctap.Options{RK: &yes, UV: &yes},
	})
	return err
}

func signIn(ctx context.Context, a ctap.Authenticator) error {
	yes := true
	hash := sha256.Sum256([]byte("client data"))
	_, err := a.GetAssertion(ctx, &ctap.GetAssertionRequest{
		RPID: site, ClientDataHash: hash[:], Options: &ctap.Options{UV: &yes},
	})
	return err
}

// everyCommand calls each command once, as an admitted platform might.
func everyCommand(ctx context.Context, a ctap.Authenticator) map[string]error {
	errs := map[string]error{
		"makeCredential": register(ctx, a),
		"getAssertion":   signIn(ctx, a),
		"reset":          a.Reset(ctx),
		"selection":      a.Selection(ctx),
	}
	_, errs["getNextAssertion"] = a.GetNextAssertion(ctx)
	_, errs["getInfo"] = a.GetInfo(ctx)
	_, errs["clientPIN"] = a.ClientPIN(ctx, &ctap.ClientPINRequest{Subcommand: ctap.GetPINRetries})
	_, errs["credentialManagement"] = a.CredentialManagement(ctx, &ctap.CredentialManagementRequest{Subcommand: ctap.GetCredsMetadata})
	return errs
}

func TestContractOverTheSocket(t *testing.T) {
	t.Parallel()
	ctaptest.Run(t, func(t *testing.T) ctaptest.Device {
		r := newRig(t)
		r.setup()
		path := filepath.Join(t.TempDir(), "socket")
		l, err := socket.Listen(path, socketMode)
		check(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- r.d.Serve(ctx, l) }()
		t.Cleanup(func() { cancel(); check(t, <-served) })
		return ctaptest.Device{
			Open: func(t *testing.T) ctap.Authenticator {
				conn, err := socket.Dial(t.Context(), path)
				check(t, err)
				t.Cleanup(func() { _ = conn.Close() })
				return ctap.NewClient(conn)
			},
			Person: r.person,
			PowerCycle: func(t *testing.T) {
				_, err := r.channel().Vendor(t.Context(), ctap.CommandReconnect, nil)
				check(t, err)
			},
			Socket: true,
		}
	})
}

func TestBeforeSetUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if s := r.status(); s.SetUp || s.Problem != nil || s.Version != "1.2.3" {
		t.Errorf("status %+v, want version 1.2.3, not set up and no problem", s)
	}
	for name, err := range everyCommand(t.Context(), r.channel()) {
		if !errors.Is(err, ctap.NotAllowed) {
			t.Errorf("%s: %v, want NOT_ALLOWED", name, err)
		}
	}
	for _, command := range []ctap.Command{ctap.CommandList, ctap.CommandReconnect, proof.Command} {
		_, err := r.channel().Vendor(t.Context(), command, nil)
		if problem, ok := errors.AsType[*ctap.Problem](err); !ok || problem.Hint != "run `localpasskey setup`" {
			t.Errorf("command %#x: %v, want the problem that says so", command, err)
		}
	}
	if _, err := os.Stat(r.d.StorePath); err == nil {
		t.Error("looking made a store")
	}
}

func TestSetUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.setup()
	if s := r.status(); !s.SetUp || s.PINSet || s.PINRetries != 8 || !s.AlwaysUV || s.Problem != nil || !strings.HasPrefix(s.Hardware, "IBM ") {
		t.Errorf("status after set-up: %+v", s)
	}
	_, err := r.channel().Vendor(t.Context(), ctap.CommandSetup, nil)
	if problem, ok := errors.AsType[*ctap.Problem](err); !ok || problem.What != "LocalPasskey is set up already" {
		t.Errorf("a second set-up: %v", err)
	}
	r.setPIN()
	check(t, register(t.Context(), r.channel()))
	r.restart()
	check(t, signIn(t.Context(), r.channel()))
	if s := r.status(); !s.PINSet || s.Passkeys != 1 {
		t.Errorf("status after a restart: %+v", s)
	}
}

// indices are the NV indices that the TPM holds.
func (r *rig) indices() int {
	r.Helper()
	conn, err := r.chip.Opener()(r.Context())
	check(r, err)
	defer conn.Close()
	const firstIndex, many = 0x01000000, 100
	response, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: firstIndex, PropertyCount: many}.Execute(conn)
	check(r, err)
	list, err := response.CapabilityData.Data.Handles()
	check(r, err)
	return len(list.Handle)
}

// A set-up whose TPM fails at any point leaves nothing that hinders the next.
func TestFailedSetUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	before := r.indices()
	for allowed := int64(0); ; allowed++ {
		var opened atomic.Int64
		working := true
		d := r.again(filepath.Join(t.TempDir(), "data", "passkeys.db"), func(ctx context.Context) (tpm.Conn, error) {
			if opened.Add(1) > allowed && !working {
				return nil, &ctap.Problem{Status: ctap.Other, What: "unplugged"}
			}
			return r.chip.Opener()(ctx)
		})
		working = false
		_, err := d.Channel(me()).Vendor(t.Context(), ctap.CommandSetup, nil)
		if err == nil {
			if allowed == 0 {
				t.Fatal("set up without a TPM")
			}
			return
		}
		if problem, ok := errors.AsType[*ctap.Problem](err); !ok || problem.What != "unplugged" {
			t.Fatalf("after %d connections: %v", allowed, err)
		}
		if _, err := os.Stat(d.StorePath); err == nil && allowed == 0 {
			t.Error("a store was left behind, though no key was made")
		}
		working = true
		if _, err := d.Channel(me()).Vendor(t.Context(), ctap.CommandSetup, nil); err != nil {
			t.Fatalf("the set-up after one that failed after %d connections: %v", allowed, err)
		}
		if got, want := r.indices()-before, int(allowed)+1; got != want {
			t.Fatalf("%d indices for %d set-ups", got, want)
		}
	}
}

func TestOnlyTheOwnerAndRootAreAdmitted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.setup()
	stranger := r.d.Channel(ctap.Caller{UID: os.Getuid() + 1, Door: ctap.DoorSocket})
	for name, err := range everyCommand(t.Context(), stranger) {
		if !errors.Is(err, ctap.NotAllowed) {
			t.Errorf("%s: %v, want NOT_ALLOWED", name, err)
		}
	}
	for _, command := range []ctap.Command{ctap.CommandStatus, ctap.CommandSetup, ctap.CommandReconnect, ctap.CommandList, proof.Command, notice.Command} {
		if body, err := stranger.Vendor(t.Context(), command, nil); !errors.Is(err, ctap.NotAllowed) || body != nil {
			t.Errorf("command %#x: %v, want NOT_ALLOWED", command, err)
		}
	}
	if asks := r.person.Asked(); len(asks) != 0 {
		t.Errorf("a stranger had the person asked: %+v", asks)
	}
	if _, err := r.d.Channel(ctap.Caller{UID: 0, Door: ctap.DoorSocket}).GetInfo(t.Context()); err != nil {
		t.Errorf("root: %v", err)
	}
}

func TestVendorCommandsAreTheSocketsAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.setup()
	device := r.d.Channel(ctap.Caller{UID: os.Getuid(), Door: ctap.DoorHID})
	for command := ctap.Command(0x50); command < 0xC0; command++ {
		if _, err := device.Vendor(t.Context(), command, nil); !errors.Is(err, ctap.InvalidCommand) {
			t.Errorf("command %#x over USB: %v", command, err)
		}
	}
	if _, err := r.channel().Vendor(t.Context(), 0xBF, nil); !errors.Is(err, ctap.InvalidCommand) {
		t.Errorf("an unknown command: %v", err)
	}
}

// The TPM begins a new generation, and then the power fails: the passkeys are dead,
// and the next start says so by having none.
func TestResetCutShort(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.setup()
	r.setPIN()
	check(t, register(t.Context(), r.channel()))
	check(t, r.d.opened.machine.Renew(t.Context()))
	r.restart()
	if s := r.status(); s.Problem != nil || !s.SetUp || s.PINSet || s.Passkeys != 0 {
		t.Errorf("status %+v, want a working authenticator with nothing in it", s)
	}
	r.setPIN()
	if err := signIn(t.Context(), r.channel()); !errors.Is(err, ctap.NoCredentials) {
		t.Errorf("%v, want NO_CREDENTIALS", err)
	}
}

func TestCloseEndsWhatIsAsked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.setup()
	r.setPIN()
	r.person.SetTouch(ctaptest.Hold)
	result := make(chan error, 1)
	go func() { result <- register(t.Context(), r.channel()) }()
	<-r.person.Opened()
	check(t, r.d.Close())
	if err := <-result; err == nil {
		t.Error("registered with a daemon that was closed")
	}
	if _, err := r.channel().GetInfo(t.Context()); err == nil {
		t.Error("a closed daemon answers")
	}
	r.d = r.again(r.d.StorePath, r.d.OpenTPM)
	if s := r.status(); s.Passkeys != 0 {
		t.Errorf("%d passkeys, want none", s.Passkeys)
	}
}

// A log is read by more eyes than the store.
func TestLogNamesNoSiteAndNoSecret(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.setup()
	r.setPIN()
	check(t, register(t.Context(), r.channel()))
	for name, err := range everyCommand(t.Context(), r.channel()) {
		t.Logf("%s: %v", name, err)
	}
	r.chip.Kill()
	if s := r.status(); s.Problem == nil {
		t.Error("no problem without a TPM")
	}
	for name, err := range everyCommand(t.Context(), r.channel()) {
		t.Logf("%s without a TPM: %v", name, err)
	}
	check(t, r.chip.Restart(t.Context()))
	logged := r.log.String()
	if !strings.Contains(logged, "cannot work now") {
		t.Errorf("what went wrong is not in the log: %s", logged)
	}
	for _, secret := range []string{site, account, testPIN} {
		if strings.Contains(logged, secret) {
			t.Errorf("the log has %q in it: %s", secret, logged)
		}
	}
}

// The TPM begins a new generation and the store cannot follow: the daemon must not
// go on with a store that the next start would empty.
func TestResetTheStoreCannotFollow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.setup()
	r.setPIN()
	check(t, register(t.Context(), r.channel()))
	whole := r.d.opened.store
	broken, err := store.Open(filepath.Join(t.TempDir(), "broken.db"))
	check(t, err)
	check(t, broken.Close())
	r.d.opened.store = broken
	if err := r.channel().Reset(t.Context()); err == nil {
		t.Fatal("a reset that the store did not follow was called done")
	}
	check(t, whole.Close()) // as abandoning the store would have done
	if s := r.status(); s.Problem != nil || s.PINSet || s.Passkeys != 0 {
		t.Errorf("status %+v, want the reset finished", s)
	}
	r.setPIN()
	check(t, register(t.Context(), r.channel()))
	r.restart()
	if s := r.status(); s.Problem != nil || s.Passkeys != 1 {
		t.Errorf("status %+v, want the passkey that was acknowledged", s)
	}
}
