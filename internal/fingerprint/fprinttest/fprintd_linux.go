package fprinttest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// Names of the interface.
const (
	Service    = "net.reactivated.Fprint"
	Device     = Service + ".Device"
	Path       = dbus.ObjectPath("/net/reactivated/Fprint")
	DevicePath = Path + "/Device/0"
)

// What VerifyStatus says.
const (
	Match        = "verify-match"
	NoMatch      = "verify-no-match"
	RetryScan    = "verify-retry-scan"
	Disconnected = "verify-disconnected"
)

// Fprintd is an fprintd.
type Fprintd struct {
	t    *testing.T
	conn *dbus.Conn

	// Waiting gets a word each time the reader begins to wait for a finger.
	Waiting chan struct{}
	// Released gets the user's name each time the reader is given back.
	Released chan string

	mu       sync.Mutex
	fingers  map[string][]string // of users, by name
	claimer  string              // unique name, "" for none
	claimed  string              // user's name
	waiting  bool
	noReader bool
	failing  map[string]string // method: error
	hanging  map[string]chan struct{}
}

// Start has an fprintd on the bus at address, until the test ends.
func Start(t *testing.T, address string) *Fprintd {
	t.Helper()
	f := &Fprintd{
		t: t, Waiting: make(chan struct{}, 100), Released: make(chan string, 100),
		fingers: map[string][]string{}, failing: map[string]string{}, hanging: map[string]chan struct{}{},
	}
	conn, err := dbus.Connect(address)
	f.check(err)
	f.conn = conn
	f.check(conn.Export(manager{f}, Path+"/Manager", Service+".Manager"))
	f.check(conn.Export(device{f}, DevicePath, Device))
	f.check(conn.AddMatchSignal(dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged")))
	signals := make(chan *dbus.Signal, 100)
	conn.Signal(signals)
	go f.watch(signals)
	_, err = conn.RequestName(Service, dbus.NameFlagDoNotQueue)
	f.check(err)
	t.Cleanup(f.Stop)
	return f
}

func (f *Fprintd) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// watch gives the reader back of whoever has left the bus.
func (f *Fprintd) watch(signals <-chan *dbus.Signal) {
	for s := range signals {
		if len(s.Body) == 3 && s.Body[2] == "" {
			f.mu.Lock()
			if s.Body[0] == f.claimer {
				f.release()
			}
			f.mu.Unlock()
		}
	}
}

// release gives the reader back. The caller holds mu.
func (f *Fprintd) release() {
	f.Released <- f.claimed
	f.claimer, f.claimed, f.waiting = "", "", false
}

// Stop ends it, and what hangs.
func (f *Fprintd) Stop() {
	_ = f.conn.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	for method, hanging := range f.hanging {
		close(hanging)
		delete(f.hanging, method)
	}
}

// Enroll has the system know a user's finger.
func (f *Fprintd) Enroll(user string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fingers[user] = append(f.fingers[user], "right-index-finger")
}

// Unplug takes the reader away.
func (f *Fprintd) Unplug() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noReader = true
}

// Fail has a method answer an error of fprintd's, by its last word.
func (f *Fprintd) Fail(method, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing[method] = name
}

// Hang has a method answer when the test is over.
func (f *Fprintd) Hang(method string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hanging[method] = make(chan struct{})
}

// Say says what has become of a finger.
func (f *Fprintd) Say(result string) {
	f.t.Helper()
	done := !slices.Contains([]string{RetryScan, "verify-swipe-too-short", "verify-finger-not-centered", "verify-remove-and-retry"}, result)
	f.check(f.conn.Emit(DevicePath, Device+".VerifyStatus", result, done))
}

// Wait waits until the reader waits for a finger.
func (f *Fprintd) Wait() {
	f.t.Helper()
	select {
	case <-f.Waiting:
	case <-time.After(20 * time.Second):
		f.t.Fatal("no finger is asked for")
	}
}

// WaitReleased waits until the reader has been given back by its user.
func (f *Fprintd) WaitReleased(user string) {
	f.t.Helper()
	select {
	case got := <-f.Released:
		if got != user {
			f.t.Errorf("the reader was %q's, want %q's", got, user)
		}
	case <-time.After(20 * time.Second):
		f.t.Fatal("the reader is not given back")
	}
}

// begin is what each method begins with.
func (f *Fprintd) begin(method string) *dbus.Error {
	f.mu.Lock()
	name, hanging := f.failing[method], f.hanging[method]
	f.mu.Unlock()
	if hanging != nil {
		<-hanging
	}
	if name != "" {
		return failure(name)
	}
	return nil
}

func failure(name string) *dbus.Error {
	return dbus.NewError(Service+".Error."+name, []any{"the test wants it so"})
}

// manager answers for net.reactivated.Fprint.Manager.
type manager struct{ f *Fprintd }

// GetDefaultDevice is fprintd's.
func (m manager) GetDefaultDevice() (dbus.ObjectPath, *dbus.Error) {
	if err := m.f.begin("GetDefaultDevice"); err != nil {
		return "", err
	}
	m.f.mu.Lock()
	defer m.f.mu.Unlock()
	if m.f.noReader {
		return "", failure("NoSuchDevice")
	}
	return DevicePath, nil
}

// device answers for net.reactivated.Fprint.Device.
type device struct{ f *Fprintd }

// ListEnrolledFingers is fprintd's.
func (d device) ListEnrolledFingers(user string) ([]string, *dbus.Error) {
	if err := d.f.begin("ListEnrolledFingers"); err != nil {
		return nil, err
	}
	d.f.mu.Lock()
	defer d.f.mu.Unlock()
	if len(d.f.fingers[user]) == 0 {
		return nil, failure("NoEnrolledPrints")
	}
	return d.f.fingers[user], nil
}

// Claim is fprintd's.
func (d device) Claim(sender dbus.Sender, user string) *dbus.Error {
	if err := d.f.begin("Claim"); err != nil {
		return err
	}
	d.f.mu.Lock()
	defer d.f.mu.Unlock()
	if d.f.claimer != "" {
		return failure("AlreadyInUse")
	}
	d.f.claimer, d.f.claimed = string(sender), user
	return nil
}

// mine is an action of whoever has claimed the reader.
func (d device) mine(method string, sender dbus.Sender, do func()) *dbus.Error {
	if err := d.f.begin(method); err != nil {
		return err
	}
	d.f.mu.Lock()
	defer d.f.mu.Unlock()
	if d.f.claimer != string(sender) {
		return failure("ClaimDevice")
	}
	do()
	return nil
}

// VerifyStart is fprintd's.
func (d device) VerifyStart(sender dbus.Sender, finger string) *dbus.Error {
	return d.mine("VerifyStart", sender, func() {
		if d.f.waiting || finger != "any" {
			d.f.t.Errorf("VerifyStart(%q) while waiting is %v", finger, d.f.waiting)
		}
		d.f.waiting = true
		d.f.Waiting <- struct{}{}
	})
}

// VerifyStop is fprintd's.
func (d device) VerifyStop(sender dbus.Sender) *dbus.Error {
	return d.mine("VerifyStop", sender, func() { d.f.waiting = false })
}

// Release is fprintd's.
func (d device) Release(sender dbus.Sender) *dbus.Error {
	return d.mine("Release", sender, d.f.release)
}

// Emit sends a VerifyStatus of any kind.
func (f *Fprintd) Emit(path dbus.ObjectPath, values ...any) {
	f.t.Helper()
	f.check(f.conn.Emit(path, Device+".VerifyStatus", values...))
}
