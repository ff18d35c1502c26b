package notifytest

import (
	"slices"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/localpasskey/localpasskey/internal/logind/logindtest"
)

// Notification is what a desktop was given.
type Notification struct {
	ID, Replaces             uint32
	App, Icon, Summary, Body string
	Actions                  []string
	Hints                    map[string]dbus.Variant
}

// Desktop shows notifications on a real message bus, and keeps what it has shown.
type Desktop struct {
	t            *testing.T
	Bus          *logindtest.Logind // a session bus, which has a logind too
	conn         *dbus.Conn
	capabilities []string // guarded by mu

	mu    sync.Mutex
	hangs chan struct{} // while it is there, it answers when it is closed
	shown []Notification
}

// Start starts a bus with a desktop on it that reads markup, as most do.
func Start(t *testing.T) *Desktop {
	t.Helper()
	d := &Desktop{t: t, Bus: logindtest.Start(t), capabilities: []string{"body", "body-markup", "actions"}}
	d.Appear()
	return d
}

// Appear begins to answer.
func (d *Desktop) Appear() {
	d.t.Helper()
	conn, err := dbus.Connect(d.Bus.Address)
	check(d.t, err)
	d.t.Cleanup(func() { _ = conn.Close() })
	check(d.t, conn.Export(service{d}, "/org/freedesktop/Notifications", "org.freedesktop.Notifications"))
	_, err = conn.RequestName("org.freedesktop.Notifications", dbus.NameFlagDoNotQueue)
	check(d.t, err)
	d.conn = conn
}

// Hang has the desktop answer nothing until the test ends.
func (d *Desktop) Hang() {
	d.mu.Lock()
	defer d.mu.Unlock()
	hangs := make(chan struct{})
	d.hangs = hangs
	d.t.Cleanup(func() { close(hangs) })
}

// Shown is what has been shown.
func (d *Desktop) Shown() []Notification {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.shown)
}

// service is the desktop as the bus calls it.
type service struct{ d *Desktop }

// GetCapabilities is that of the specification.
func (s service) GetCapabilities() ([]string, *dbus.Error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	return s.d.capabilities, nil
}

// Notify is that of the specification.
func (s service) Notify(app string, replaces uint32, icon, summary, body string, actions []string, hints map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	s.d.mu.Lock()
	hangs := s.d.hangs
	s.d.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	id := uint32(len(s.d.shown) + 1) //nolint:gosec // There are few.
	s.d.shown = append(s.d.shown, Notification{id, replaces, app, icon, summary, body, actions, hints})
	return id, nil
}

// SetCapabilities says what it can show.
func (d *Desktop) SetCapabilities(all ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capabilities = all
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
