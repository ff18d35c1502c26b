//go:build e2e

package fingerprint

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/logind/logindtest"
	"github.com/localpasskey/localpasskey/internal/tpm/held"
)

// genuine is Debian's fprintd with libfprint's virtual reader, and a polkit that says yes and
// takes down what it was asked.
type genuine struct {
	*rig
	reader string // the virtual reader's socket
	kill   func()
	log    *bytes.Buffer

	mu    sync.Mutex
	asked []string // of polkit
}

func startReal(t *testing.T) *genuine {
	t.Helper()
	program := "/usr/libexec/fprintd"
	if _, err := os.Stat(program); err != nil {
		t.Fatal("no fprintd here; on Debian: apt-get install fprintd")
	}
	dir, err := os.MkdirTemp("", "fp") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l := logindtest.Start(t)
	r := &genuine{reader: filepath.Join(dir, "reader"), log: &bytes.Buffer{}, rig: &rig{
		T: t, logind: l, person: ctaptest.NewPerson(ctaptest.Hold, 0, pin), held: held.New(func() time.Duration { return time.Hour }),
	}}
	r.held.Keep([16]byte{}, []byte{1})
	r.user = &User{
		Prompt: r.person, Reader: &Reader{Bus: l.Address, UID: alice}, Held: r.held,
		Log: slog.New(slog.NewTextHandler(r.log, nil)),
	}
	conn, err := dbus.Connect(l.Address)
	r.check(err)
	t.Cleanup(func() { _ = conn.Close() })
	r.check(conn.Export(polkit{r}, "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority"))
	_, err = conn.RequestName("org.freedesktop.PolicyKit1", dbus.NameFlagDoNotQueue)
	r.check(err)
	r.run(program, dir)
	for deadline := time.Now().Add(rightly); ; time.Sleep(10 * time.Millisecond) {
		if _, err = r.user.Reader.Enrolled(t.Context()); errors.Is(err, ErrNotEnrolled) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("fprintd does not answer: %v", err)
		}
	}
	r.enroll(conn)
	return r
}

func (r *genuine) check(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// run runs fprintd, which dies with the test.
func (r *genuine) run(program, dir string) {
	r.Helper()
	p := exec.CommandContext(context.Background(), program, "-t")
	p.Env = []string{"FP_VIRTUAL_DEVICE=" + r.reader, "STATE_DIRECTORY=" + filepath.Join(dir, "state"), "DBUS_SYSTEM_BUS_ADDRESS=" + r.logind.Address}
	p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the child dies with the thread that has started it
		defer runtime.UnlockOSThread()
		defer close(ended)
		err := p.Start()
		if started <- err; err == nil {
			_ = p.Wait() // it is killed
		}
	}()
	r.check(<-started)
	r.kill = func() { _ = p.Process.Kill(); <-ended }
	r.Cleanup(r.kill)
}

// polkit answers for org.freedesktop.PolicyKit1.Authority.
type polkit struct{ r *genuine }

type subject struct {
	Kind    string
	Details map[string]dbus.Variant
}

type verdict struct {
	Authorized, Challenge bool
	Details               map[string]string
}

// CheckAuthorization is polkit's.
func (p polkit) CheckAuthorization(_ subject, action string, _ map[string]string, _ uint32, _ string) (verdict, *dbus.Error) {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	p.r.asked = append(p.r.asked, action)
	return verdict{Authorized: true, Details: map[string]string{}}, nil
}

// lay lays a finger on the reader, or whatever else it has a word for, once it is in use.
func (r *genuine) lay(word string) {
	r.Helper()
	for deadline := time.Now().Add(rightly); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("unix", r.reader)
		if err == nil {
			_, err = conn.Write([]byte(word))
			_ = conn.Close()
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			r.Fatalf("the reader is not in use: %v\n%s", err, r.log)
		}
	}
}

// enroll has fprintd learn the right finger of alice's.
func (r *genuine) enroll(conn *dbus.Conn) {
	r.Helper()
	signals := make(chan *dbus.Signal, 100)
	conn.Signal(signals)
	r.check(conn.AddMatchSignal(dbus.WithMatchInterface(device), dbus.WithMatchMember("EnrollStatus")))
	reader := conn.Object(service, "/net/reactivated/Fprint/Device/0")
	r.check(reader.Call(device+".Claim", 0, logindtest.Name(alice)).Err)
	r.check(reader.Call(device+".EnrollStart", 0, "right-index-finger").Err)
	for done := false; !done; {
		r.lay("SCAN right")
		select {
		case s := <-signals:
			done = slices.Equal(s.Body, []any{"enroll-completed", true})
		case <-time.After(rightly):
			r.Fatal("no finger is enrolled")
		}
	}
	r.check(reader.Call(device+".EnrollStop", 0).Err)
	r.check(reader.Call(device+".Release", 0).Err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = nil
}

// TestRealFprintd: the reader is libfprint's virtual one, all else is as on a machine.
func TestRealFprintd(t *testing.T) {
	t.Parallel()
	r := startReal(t)
	if n, err := r.user.Reader.Enrolled(t.Context()); n != 1 || err != nil {
		t.Fatalf("%d fingers, %v", n, err)
	}
	r.begin()
	r.opened()
	before := time.Now()
	r.lay("SCAN right")
	r.end(nil, 0, 1)
	t.Logf("from the finger to the end of the question: %v", time.Since(before))

	// Badly laid on, another's, and then the right one.
	r.begin()
	r.opened()
	r.lay("RETRY 2")
	r.stillOpenAt(1, "a finger to lay on again")
	r.lay("SCAN left")
	r.stillOpenAt(1, "another finger")
	r.lay("SCAN right")
	r.end(nil, 0, 2)

	// Three of another's: the PIN alone counts.
	r.begin()
	r.opened()
	for range MaxStrangers {
		r.lay("SCAN left")
		r.stillOpenAt(2, "another finger")
	}
	r.cancel()
	r.end(context.Canceled, 0, 2)

	// Cancelled, and at once somebody else's to use.
	r.begin()
	r.opened()
	r.cancel()
	r.end(context.Canceled, 0, 2)
	c, err := r.user.Reader.claim(t.Context())
	r.check(err)
	other := &Reader{Bus: r.logind.Address, UID: alice}
	if _, err := other.claim(t.Context()); err == nil {
		t.Error("claimed twice")
	}
	c.close(t.Context())

	// Gone in the middle.
	r.begin()
	r.opened()
	r.lay("SCAN left")
	r.stillOpenAt(2, "another finger")
	r.kill()
	r.stillOpenAt(2, "the end of fprintd")
	r.cancel()
	r.end(context.Canceled, 0, 2)

	// What polkit was asked is what the rule allows, all of it and no more.
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.asked)
	want := []string{"net.reactivated.fprint.device.setusername", "net.reactivated.fprint.device.verify"}
	if got := slices.Compact(r.asked); !slices.Equal(got, want) {
		t.Errorf("polkit was asked for %q, want %q", got, want)
	}
}

// stillOpenAt is stillOpen after as many fingers.
func (r *genuine) stillOpenAt(fingers int32, what string) {
	r.Helper()
	select {
	case o := <-r.ended:
		r.Fatalf("%s: ended with %v\n%s", what, o.err, r.log)
	case <-time.After(300 * time.Millisecond):
	}
	if got := r.fingers.Load(); got != fingers {
		r.Errorf("%s: %d fingers counted, want %d", what, got, fingers)
	}
}
