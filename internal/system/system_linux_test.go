package system

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/agent"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/ctaptest/hidtest"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/logind"
	"github.com/localpasskey/localpasskey/internal/logind/logindtest"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/socket"
	"github.com/localpasskey/localpasskey/internal/swtpm"
)

// The users of the test's machine, and a uid that is nobody's.
const (
	alice   = 60101
	bob     = 60102
	subuid  = 165536
	testPIN = "correct horse"
	idle    = 200 * time.Millisecond
)

// device is one that a user's programs find.
type device struct {
	*hidtest.HIDNode

	uid int
}

func (d *device) Node(context.Context) (string, error) {
	return "/dev/hidraw" + strconv.Itoa(d.uid), nil
}

// rig is a machine with the service and two users.
type rig struct {
	*testing.T
	chip     *swtpm.TPM
	stateDir string
	path     string
	devices  chan *device       // as they appear
	logind   *logindtest.Logind // nil: everybody is always there
	s        *Service
	stop     func()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can call as several users")
	}
	dir, err := os.MkdirTemp("", "system")
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	check(t, os.Chmod(dir, 0o755)) // all users reach the socket
	chip, err := swtpm.Start(t.Context(), t.TempDir())
	check(t, err)
	t.Cleanup(func() { check(t, chip.Close()) })
	r := &rig{T: t, chip: chip, stateDir: filepath.Join(dir, "state"), path: filepath.Join(dir, "socket")}
	check(t, os.Mkdir(r.stateDir, 0o700))
	r.start()
	return r
}

// start runs the service, on whatever is there already.
func (r *rig) start() {
	r.Helper()
	r.devices = make(chan *device, 10)
	devices := r.devices
	config := Config{
		StateDir: r.stateDir, OpenTPM: r.chip.Opener(), Version: "1.2.3",
		Plug: func(uid int) (daemon.Device, error) {
			d := &device{HIDNode: hidtest.NewHIDNode(), uid: uid}
			devices <- d
			return d, nil
		},
		Known: func(uid int) bool { return uid == alice || uid == bob },
		Log:   slog.New(slog.DiscardHandler),
	}
	if r.logind != nil {
		config.FingerprintBus = r.logind.Address
		config.Presence = func(ctx context.Context, changed func(map[int]Screen) <-chan struct{}) {
			logind.Watch(ctx, logind.Config{Address: r.logind.Address, Idle: idle, Log: config.Log}, func(p logind.Present) <-chan struct{} {
				screens := map[int]Screen{}
				for uid, screen := range p {
					screens[uid] = Screen(screen)
				}
				return changed(screens)
			})
		}
	}
	r.s = New(config)
	l, err := socket.Listen(r.path, socketMode)
	check(r, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- r.s.Serve(ctx, l) }()
	r.stop = sync.OnceFunc(func() { cancel(); check(r, <-served) })
	r.Cleanup(func() { r.stop() })
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// as calls f on a thread that belongs to another user, and dies with f.
func as(t testing.TB, uid int, f func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0))
		if errno != 0 {
			done <- errno
			return
		}
		f()
		done <- nil
	}()
	check(t, <-done)
}

// dial connects as a user does.
func (r *rig) dial(uid int) ctap.Authenticator {
	r.Helper()
	var conn *socket.Conn
	var err error
	as(r, uid, func() { conn, err = socket.Dial(r.Context(), r.path) })
	check(r, err)
	r.Cleanup(func() { _ = conn.Close() })
	return ctap.NewClient(conn)
}

// attend starts an agent of the user's.
func (r *rig) attend(uid int) *ctaptest.Person {
	r.Helper()
	p := ctaptest.NewPerson(ctaptest.Auto, 0, testPIN)
	desk := agent.NewDesk(p)
	up, ended := make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go as(r, uid, func() {
		defer desk.Close()
		ended <- socket.Attend(ctx, r.path, func() { close(up) }, desk.Answer)
	})
	r.Cleanup(cancel)
	select {
	case <-up:
	case err := <-ended:
		r.Fatalf("the agent of %d was not taken up: %v", uid, err)
	}
	client := r.dial(uid)
	for deadline := time.Now().Add(20 * time.Second); r.status(client).Prompt != ctap.PromptAgent; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatal("the agent is not asked")
		}
	}
	return p
}

func (r *rig) status(a ctap.Authenticator) *ctap.StatusResponse {
	r.Helper()
	status, err := ctap.Call[ctap.StatusResponse](r.Context(), a, ctap.CommandStatus, nil)
	check(r, err)
	return status
}

// setUp makes a user's store, with a PIN, and gives the device that comes with it.
func (r *rig) setUp(uid int) (ctap.Authenticator, *device) {
	r.Helper()
	a := r.dial(uid)
	_, err := a.Vendor(r.Context(), ctap.CommandSetup, nil)
	check(r, err)
	check(r, ctap.Platform{Authenticator: a, Protocol: pinuv.Two}.SetPIN(r.Context(), secret.Of([]byte(testPIN))))
	return a, <-r.devices
}

func register(ctx context.Context, a ctap.Authenticator, site string) error {
	yes := true
	_, err := a.MakeCredential(ctx, &ctap.MakeCredentialRequest{
		ClientDataHash: make([]byte, 32), RP: &ctap.RelyingParty{ID: site}, User: &ctap.User{ID: []byte("u"), Name: "u"},
		Parameters: []ctap.Parameter{{Algorithm: cose.ES256, Type: ctap.PublicKeyType}},
		Options:    &ctap.Options{RK: &yes, UV: &yes},
	})
	return err
}

// sites are those that the list of a user's own names.
func (r *rig) sites(a ctap.Authenticator) (sites []string) {
	r.Helper()
	list, err := ctap.Call[ctap.ListResponse](r.Context(), a, ctap.CommandList, nil)
	check(r, err)
	for _, p := range list.Passkeys {
		sites = append(sites, p.RPID)
	}
	slices.Sort(sites)
	return sites
}

// client opens a device, as a browser does.
func (d *device) client(t *testing.T) ctap.Authenticator {
	t.Helper()
	channel, err := hidtest.NewHID(d.Open())
	check(t, err)
	return ctap.NewClient(channel)
}

// What one user makes another neither sees nor uses, through no door; and the agent of
// the one is not asked for the other.
func TestUsersAreApart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, aliceKey := r.setUp(alice)
	b := r.dial(bob)
	if s := r.status(b); s.SetUp || s.Node != "" || s.Passkeys != 0 {
		t.Errorf("bob's status after alice's set-up: %+v", s)
	}
	if err := register(t.Context(), b, "bob.example"); !errors.Is(err, ctap.NotAllowed) {
		t.Errorf("without a set-up of his own bob got %v", err)
	}
	if _, err := os.Lstat(filepath.Join(r.stateDir, strconv.Itoa(bob))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("asking made something of bob's: %v", err)
	}
	b, bobKey := r.setUp(bob)
	if aliceKey.uid != alice || bobKey.uid != bob {
		t.Errorf("devices of %d and %d", aliceKey.uid, bobKey.uid)
	}
	askAlice, askBob := r.attend(alice), r.attend(bob)
	check(t, register(t.Context(), a, "alice.example"))
	check(t, register(t.Context(), bobKey.client(t), "bob.example"))
	for _, c := range []struct {
		who    string
		by     ctap.Authenticator
		person *ctaptest.Person
		want   string
	}{{"alice", a, askAlice, "alice.example"}, {"bob", b, askBob, "bob.example"}} {
		if asks := c.person.Asked(); len(asks) != 1 || asks[0].RP.ID != c.want {
			t.Errorf("%s was asked %+v, want %s", c.who, asks, c.want)
		}
		if got := r.sites(c.by); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s sees %q, want %s", c.who, got, c.want)
		}
	}
	if s := r.status(r.dial(0)); s.SetUp || s.Passkeys != 0 {
		t.Errorf("root's own status: %+v", s)
	}
	_, err := bobKey.client(t).GetAssertion(t.Context(), &ctap.GetAssertionRequest{RPID: "alice.example", ClientDataHash: make([]byte, 32)})
	if !errors.Is(err, ctap.NoCredentials) {
		t.Errorf("bob's device, for alice's site: %v", err)
	}
}

// Who has a store finds it when the service comes back, and his device at once.
func TestServiceComesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, _ := r.setUp(alice)
	r.attend(alice)
	check(t, register(t.Context(), a, "alice.example"))
	for _, odd := range []string{"lost+found", "-1", "007", strconv.Itoa(bob)} {
		check(t, os.Mkdir(filepath.Join(r.stateDir, odd), 0o700))
	}
	r.stop()
	r.start()
	if d := <-r.devices; d.uid != alice {
		t.Errorf("a device of %d", d.uid)
	}
	if got := r.sites(r.dial(alice)); !slices.Equal(got, []string{"alice.example"}) {
		t.Errorf("alice sees %q", got)
	}
	if s := r.status(r.dial(bob)); s.SetUp || len(r.devices) != 0 {
		t.Errorf("bob, who has an empty directory: %+v and %d devices", s, len(r.devices))
	}
}

// A uid that is no user's can do nothing, though any user may have thousands of them.
func TestNobodysUID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stranger := r.dial(subuid)
	for _, command := range []ctap.Command{ctap.CommandStatus, ctap.CommandSetup, ctap.CommandList, ctap.CommandReconnect} {
		if _, err := stranger.Vendor(t.Context(), command, nil); !errors.Is(err, ctap.NotAllowed) {
			t.Errorf("command %#x: %v", command, err)
		}
	}
	if err := register(t.Context(), stranger, "x.example"); !errors.Is(err, ctap.NotAllowed) {
		t.Errorf("registration: %v", err)
	}
	as(t, subuid, func() {
		desk := agent.NewDesk(ctaptest.NewPerson(ctaptest.Auto, 0))
		if err := socket.Attend(t.Context(), r.path, func() {}, desk.Answer); !errors.Is(err, ctap.NotAllowed) {
			t.Errorf("its agent: %v", err)
		}
	})
	if entries, err := os.ReadDir(r.stateDir); err != nil || len(entries) != 0 {
		t.Errorf("it left %v, %v", entries, err)
	}
}

// A user who connects and asks without end takes nobody else's place, nor do all the
// uids that he can make himself.
func TestFloodDisturbsNobodyElse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, _ = r.setUp(alice)
	b, _ := r.setUp(bob)
	r.attend(bob)
	ctx, cancel := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	defer func() { cancel(); flood.Wait() }()
	for i := range 200 {
		uid := alice
		if i%2 == 1 {
			uid = subuid + i
		}
		flood.Add(1)
		go as(t, uid, func() {
			defer flood.Done()
			conn, err := socket.Dial(ctx, r.path)
			if err != nil {
				return
			}
			defer conn.Close()
			for ctx.Err() == nil { // each reads the TPM's counter
				if _, err := ctap.NewClient(conn).Vendor(ctx, ctap.CommandStatus, nil); err != nil && !errors.Is(err, ctap.NotAllowed) {
					return
				}
			}
		})
	}
	var longest time.Duration
	for i := range 10 {
		began := time.Now()
		check(t, register(t.Context(), b, fmt.Sprintf("site%d.example", i)))
		r.status(r.dial(bob))
		longest = max(longest, time.Since(began))
	}
	t.Logf("in the flood a registration and a status took at most %s", longest)
	if longest > 10*time.Second {
		t.Errorf("bob waited %s", longest)
	}
}

// Garbage, half messages and connections that say nothing cost their sender his own
// places, and nobody else anything.
func TestGarbageDisturbsNobodyElse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, _ = r.setUp(alice)
	b, _ := r.setUp(bob)
	r.attend(bob)
	for i := range 200 {
		as(t, alice, func() {
			conn, err := net.Dial("unix", r.path)
			check(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			junk := make([]byte, i%2*(1+7*i)) // of every second nothing, which keeps its place
			_, err = rand.Read(junk)
			check(t, err)
			_, _ = conn.Write(junk) // refused, where the connection is one too many
		})
	}
	check(t, register(t.Context(), b, "bob.example"))
	if got := r.sites(r.dial(bob)); !slices.Equal(got, []string{"bob.example"}) {
		t.Errorf("bob sees %q", got)
	}
	if got := r.status(r.dial(bob)); got.PINRetries != 8 {
		t.Errorf("bob's PIN has %d tries left", got.PINRetries)
	}
}

func TestLoggedIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "1000"), nil, 0o600))
	known := LoggedIn(dir)
	if !known(1000) || known(1001) || known(subuid) {
		t.Error("who is logged in is not who logind says is")
	}
}
