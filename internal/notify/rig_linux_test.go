package notify_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/agent"
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/notify"
	"github.com/localpasskey/localpasskey/internal/notify/notifytest"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/socket"
	"github.com/localpasskey/localpasskey/internal/swtpm"
)

const (
	pin  = "correct horse"
	site = "example.com"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// log is what several goroutines write.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// rig is a daemon with a software TPM, and an agent with a scripted person and a desktop.
type rig struct {
	*testing.T
	chip   *swtpm.TPM
	store  string
	socket string
	person *ctaptest.Person
	log    *log // of the daemon and of the agent
	stop   func()

	known   *ctap.Client // of the daemon at dialled
	dialled string
}

// newRig sets one up, with a PIN, and with notifications at bus.
func newRig(t *testing.T, bus string, level notify.Level) *rig {
	t.Helper()
	chip, err := swtpm.Start(t.Context(), t.TempDir())
	check(t, err)
	t.Cleanup(func() { check(t, chip.Close()) })
	r := &rig{T: t, chip: chip, person: ctaptest.NewPerson(ctaptest.Auto, 0, pin), log: &log{}, store: filepath.Join(t.TempDir(), "data", "passkeys.db")}
	r.start()
	c := r.client()
	_, err = c.Vendor(t.Context(), ctap.CommandSetup, nil)
	check(t, err)
	check(t, r.platform().SetPIN(t.Context(), secret.Of([]byte(pin))))
	r.attend(bus, level)
	return r
}

// start starts the daemon.
func (r *rig) start() {
	r.Helper()
	dir, err := os.MkdirTemp("", "lp")
	check(r, err)
	r.Cleanup(func() { _ = os.RemoveAll(dir) })
	r.socket = filepath.Join(dir, "s")
	d := daemon.New(daemon.Config{
		StorePath: r.store, OpenTPM: r.chip.Opener(), Version: "1.2.3", User: ctaptest.NewPerson(ctaptest.Deny, 0),
		Log: slog.New(slog.NewTextHandler(r.log, nil)),
	})
	l, err := socket.Listen(r.socket, 0o600)
	check(r, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(ctx, l) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		check(r, <-ended)
		check(r, d.Close())
	})
	r.Cleanup(r.stop)
}

// attend starts the agent: as cmd/localpasskey does.
func (r *rig) attend(bus string, level notify.Level) {
	r.Helper()
	desk := agent.NewDesk(r.person)
	teller := &notify.Teller{Bus: bus, Level: level, Log: slog.New(slog.NewTextHandler(r.log, nil))}
	ctx, cancel := context.WithCancel(context.Background())
	up, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer desk.Close()
		_ = socket.Attend(ctx, r.socket, func() { close(up) }, desk.Answer) // the daemon may go first
	}()
	<-up
	r.until("the daemon has the agent", func() bool {
		status, err := ctap.Call[ctap.StatusResponse](r.Context(), r.client(), ctap.CommandStatus, nil)
		return err == nil && status.Prompt == ctap.PromptAgent
	})
	told := make(chan struct{})
	listening := make(chan struct{})
	var once sync.Once
	go func() {
		defer close(told)
		teller.Run(ctx, func(ctx context.Context) (ctap.Authenticator, io.Closer, error) {
			conn, err := socket.Dial(ctx, r.socket)
			if err != nil {
				return nil, nil, err
			}
			return heard{ctap.NewClient(conn), func() { once.Do(func() { close(listening) }) }}, conn, nil
		})
	}()
	if level != notify.None {
		<-listening
	}
	r.Cleanup(func() { cancel(); <-ended; <-told })
}

// heard tells when its client has asked for what comes.
type heard struct {
	ctap.Authenticator
	asked func()
}

func (h heard) Vendor(ctx context.Context, command ctap.Command, params cbor.Raw) (cbor.Raw, error) {
	answer, err := h.Authenticator.Vendor(ctx, command, params)
	h.asked()
	return answer, err
}

// client is a program that speaks to the daemon.
func (r *rig) client() *ctap.Client {
	r.Helper()
	if r.dialled != r.socket {
		conn, err := socket.Dial(r.Context(), r.socket)
		check(r, err)
		r.Cleanup(func() { _ = conn.Close() })
		r.known, r.dialled = ctap.NewClient(conn), r.socket
	}
	return r.known
}

func (r *rig) platform() ctap.Platform {
	return ctap.Platform{Authenticator: r.client(), Protocol: pinuv.Two}
}

func (r *rig) register(rpID, account string) error {
	hash, id := sha256.Sum256([]byte("client data")), sha256.Sum256([]byte(account))
	_, err := r.client().MakeCredential(r.Context(), &ctap.MakeCredentialRequest{
		ClientDataHash: hash[:], RP: &ctap.RelyingParty{ID: rpID}, User: &ctap.User{ID: id[:], Name: account},
		Parameters: []ctap.Parameter{{Algorithm: cose.ES256, Type: ctap.PublicKeyType}},
		Options:    &ctap.Options{RK: new(true)},
	})
	return err
}

func (r *rig) signIn() error {
	hash := sha256.Sum256([]byte("client data"))
	_, err := r.client().GetAssertion(r.Context(), &ctap.GetAssertionRequest{RPID: site, ClientDataHash: hash[:]})
	return err
}

// typeWrong has a program send a wrong PIN, as browsers do.
func (r *rig) typeWrong() {
	r.Helper()
	if _, err := r.platform().TokenWithPIN(r.Context(), secret.Of([]byte("wrong")), ctap.PermissionGetAssertion, site); err == nil {
		r.Fatal("a wrong PIN was taken")
	}
}

// again gives the next wrong PINs a chance.
func (r *rig) again() {
	r.Helper()
	_, err := r.client().Vendor(r.Context(), ctap.CommandReconnect, nil)
	check(r, err)
}

func (r *rig) until(what string, holds func() bool) {
	r.Helper()
	for deadline := time.Now().Add(60 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("waited in vain until %s; log:\n%s", what, r.log)
		}
	}
}

// shows waits until the desktop has shown so many in all, and gives the last.
func (r *rig) shows(d *notifytest.Desktop, n int) notifytest.Notification {
	r.Helper()
	r.until(fmt.Sprintf("%d notifications are there", n), func() bool { return len(d.Shown()) >= n })
	all := d.Shown()
	if len(all) > n {
		r.Fatalf("%d notifications, want %d: %+v", len(all), n, all)
	}
	return all[n-1]
}

// program is the name of this test's own, which is the one that asks.
func program(t *testing.T) string {
	t.Helper()
	name, err := os.ReadFile("/proc/self/comm")
	check(t, err)
	return strings.TrimSpace(string(name))
}

func urgency(n notifytest.Notification) byte {
	u, _ := n.Hints["urgency"].Value().(byte)
	return u
}
