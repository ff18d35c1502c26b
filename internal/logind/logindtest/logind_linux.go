package logindtest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	service = "org.freedesktop.login1"
	path    = dbus.ObjectPath("/org/freedesktop/login1")
)

// Logind is a logind.
type Logind struct {
	t       *testing.T
	Address string // of its bus
	bus     *exec.Cmd
	ended   <-chan struct{} // of the bus
	conn    *dbus.Conn

	mu       sync.Mutex
	sessions map[dbus.ObjectPath]*Session
	delays   []delay
}

// delay keeps the machine awake while somebody else has a copy of theirs.
type delay struct{ ours, theirs *os.File }

// Session is one of a user's.
type Session struct {
	l    *Logind
	path dbus.ObjectPath

	ID     string
	UID    int
	Seat   string
	Class  string
	Type   string
	Active bool
	Locked bool
	Idle   bool
}

// Start starts a bus with a logind on it; both end with the test.
func Start(t *testing.T) *Logind {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("no dbus-daemon here; on Debian: apt-get install dbus-daemon")
	}
	dir, err := os.MkdirTemp("", "bus") // a socket's path is short
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l := &Logind{t: t, Address: "unix:path=" + filepath.Join(dir, "bus"), sessions: map[dbus.ObjectPath]*Session{}}
	l.StartBus()
	l.StartService()
	return l
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// StartBus starts the bus.
func (l *Logind) StartBus() {
	l.t.Helper()
	l.bus = exec.CommandContext(context.Background(), "dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address", "--address="+l.Address) //nolint:gosec // an address of ours
	l.bus.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := l.bus.StdoutPipe()
	check(l.t, err)
	bus, started, ended := l.bus, make(chan error), make(chan struct{})
	l.ended = ended
	go func() {
		runtime.LockOSThread() // the child dies with the thread that has started it
		defer runtime.UnlockOSThread()
		defer close(ended)
		err := bus.Start()
		if started <- err; err == nil {
			_ = bus.Wait() // it is killed
		}
	}()
	check(l.t, <-started)
	_, err = bufio.NewReader(out).ReadString('\n')
	check(l.t, err)
	l.t.Cleanup(func() { _ = bus.Process.Kill(); <-ended })
}

// StopBus kills the bus, and with it everybody's connection.
func (l *Logind) StopBus() {
	l.t.Helper()
	check(l.t, l.bus.Process.Kill())
	<-l.ended
	check(l.t, os.Remove(strings.TrimPrefix(l.Address, "unix:path=")))
}

// StartService begins to answer.
func (l *Logind) StartService() {
	l.t.Helper()
	conn, err := dbus.Connect(l.Address)
	check(l.t, err)
	l.t.Cleanup(func() { _ = conn.Close() })
	l.conn = conn
	check(l.t, conn.Export(manager{l}, path, service+".Manager"))
	check(l.t, conn.Export(managerProperties{}, path, "org.freedesktop.DBus.Properties"))
	for _, s := range l.all() {
		check(l.t, conn.Export(sessionProperties{s}, s.path, "org.freedesktop.DBus.Properties"))
	}
	_, err = conn.RequestName(service, dbus.NameFlagDoNotQueue)
	check(l.t, err)
}

func (l *Logind) all() (all []*Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sessions {
		all = append(all, s)
	}
	return all
}

func (l *Logind) emit(at dbus.ObjectPath, name string, values ...any) {
	l.t.Helper()
	check(l.t, l.conn.Emit(at, name, values...))
}

// Login begins a session of a person's at seat0, in front and unlocked, unless with
// changes that.
func (l *Logind) Login(id string, uid int, with func(*Session)) *Session {
	l.t.Helper()
	s := &Session{l: l, path: path + dbus.ObjectPath("/session/_3"+id), ID: id, UID: uid, Seat: "seat0", Class: "user", Type: "wayland", Active: true}
	if with != nil {
		with(s)
	}
	check(l.t, l.conn.Export(sessionProperties{s}, s.path, "org.freedesktop.DBus.Properties"))
	l.mu.Lock()
	l.sessions[s.path] = s
	l.mu.Unlock()
	l.emit(path, service+".Manager.SessionNew", s.ID, s.path)
	return s
}

// Logout ends the session.
func (s *Session) Logout() {
	s.l.t.Helper()
	s.l.mu.Lock()
	delete(s.l.sessions, s.path)
	s.l.mu.Unlock()
	check(s.l.t, s.l.conn.Export(nil, s.path, "org.freedesktop.DBus.Properties"))
	s.l.emit(path, service+".Manager.SessionRemoved", s.ID, s.path)
}

// SetLocked locks or unlocks its screen.
func (s *Session) SetLocked(locked bool) {
	s.l.t.Helper()
	s.set(func() { s.Locked = locked }, "LockedHint", locked)
}

// SetActive brings it to the front of its seat, or away from there.
func (s *Session) SetActive(active bool) {
	s.l.t.Helper()
	s.set(func() { s.Active = active }, "Active", active)
}

// SetIdle says that nobody touches the machine, or somebody does.
func (s *Session) SetIdle(idle bool) {
	s.l.t.Helper()
	s.set(func() { s.Idle = idle }, "IdleHint", idle)
}

func (s *Session) set(change func(), property string, value bool) {
	s.l.t.Helper()
	s.l.mu.Lock()
	change()
	s.l.mu.Unlock()
	s.l.emit(s.path, "org.freedesktop.DBus.Properties.PropertiesChanged", service+".Session",
		map[string]dbus.Variant{property: dbus.MakeVariant(value)}, []string{})
}

// PrepareForSleep says that the machine is about to sleep, or awake again.
func (l *Logind) PrepareForSleep(about bool) {
	l.t.Helper()
	l.emit(path, service+".Manager.PrepareForSleep", about)
}

// eventually is how long a descriptor gets to be closed.
const eventually = 100 * time.Millisecond

// Delayed tells whether somebody keeps the machine awake.
func (l *Logind) Delayed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.delays {
		_ = d.theirs.Close() // it has been sent; closed already the second time
		check(l.t, d.ours.SetReadDeadline(time.Now().Add(eventually)))
		if _, err := d.ours.Read(make([]byte, 1)); os.IsTimeout(err) {
			return true
		}
	}
	return false
}

// manager answers for org.freedesktop.login1.Manager.
type manager struct{ l *Logind }

type listed struct {
	ID   string
	UID  uint32
	User string
	Seat string
	Path dbus.ObjectPath
}

// ListSessions is logind's.
func (m manager) ListSessions() ([]listed, *dbus.Error) {
	all := []listed{}
	for _, s := range m.l.all() {
		all = append(all, listed{s.ID, uint32(s.UID), "u", s.Seat, s.path}) //nolint:gosec // uids of a test
	}
	return all, nil
}

// GetUser is logind's: everybody is called after his uid.
func (m manager) GetUser(uid uint32) (dbus.ObjectPath, *dbus.Error) {
	user := path + dbus.ObjectPath(fmt.Sprintf("/user/_%d", uid))
	if err := m.l.conn.Export(userProperties{Name(int(uid))}, user, "org.freedesktop.DBus.Properties"); err != nil {
		return "", dbus.MakeFailedError(err)
	}
	return user, nil
}

// Name is the name of a user.
func Name(uid int) string { return fmt.Sprintf("u%d", uid) }

// userProperties answers for a user's properties.
type userProperties struct{ name string }

// Get is that of the D-Bus specification.
func (p userProperties) Get(_, _ string) (dbus.Variant, *dbus.Error) {
	return dbus.MakeVariant(p.name), nil
}

// Inhibit is logind's: what it gives is open while the machine is to stay awake.
func (m manager) Inhibit(what, _, _, mode string) (dbus.UnixFD, *dbus.Error) {
	if what != "sleep" || mode != "delay" {
		return 0, dbus.NewError(service+".Wrong", nil)
	}
	ours, theirs, err := os.Pipe()
	if err != nil {
		return 0, dbus.MakeFailedError(err)
	}
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	m.l.delays = append(m.l.delays, delay{ours, theirs})
	m.l.t.Cleanup(func() {
		m.l.mu.Lock()
		defer m.l.mu.Unlock()
		_, _ = ours.Close(), theirs.Close()
	})
	return dbus.UnixFD(theirs.Fd()), nil //nolint:gosec // descriptors are small numbers
}

// managerProperties answers for the manager's properties.
type managerProperties struct{}

// Get is that of the D-Bus specification.
func (managerProperties) Get(_, _ string) (dbus.Variant, *dbus.Error) {
	return dbus.MakeVariant(false), nil
}

// sessionProperties answers for a session's properties.
type sessionProperties struct{ s *Session }

// GetAll is that of the D-Bus specification.
func (p sessionProperties) GetAll(string) (map[string]dbus.Variant, *dbus.Error) {
	p.s.l.mu.Lock()
	defer p.s.l.mu.Unlock()
	return map[string]dbus.Variant{
		"User": dbus.MakeVariant(struct {
			UID  uint32
			Path dbus.ObjectPath
		}{uint32(p.s.UID), path + "/user/_1"}), //nolint:gosec // uids of a test
		"Seat": dbus.MakeVariant(struct {
			ID   string
			Path dbus.ObjectPath
		}{p.s.Seat, path + "/seat/_1"}),
		"Class":      dbus.MakeVariant(p.s.Class),
		"Type":       dbus.MakeVariant(p.s.Type),
		"IdleHint":   dbus.MakeVariant(p.s.Idle),
		"Active":     dbus.MakeVariant(p.s.Active),
		"LockedHint": dbus.MakeVariant(p.s.Locked),
	}, nil
}
