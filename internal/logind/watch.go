package logind

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"time"

	"github.com/godbus/dbus/v5"
)

// From org.freedesktop.login1(5).
const (
	service      = "org.freedesktop.login1"
	managerPath  = dbus.ObjectPath("/org/freedesktop/login1")
	sessionsPath = dbus.ObjectPath("/org/freedesktop/login1/session")
	manager      = "org.freedesktop.login1.Manager"
	session      = "org.freedesktop.login1.Session"
)

// From the D-Bus specification.
const (
	properties = "org.freedesktop.DBus.Properties"
	bus        = "org.freedesktop.DBus"
)

// Ours.
const (
	firstPause   = time.Second // before the bus is tried again
	longestPause = 30 * time.Second
	callPatience = 10 * time.Second
	// applyPatience is less than logind waits for us (InhibitDelayMaxSec, 5 s).
	applyPatience = 4 * time.Second
)

// SystemBus is the address of the system's bus.
const SystemBus = "unix:path=/run/dbus/system_bus_socket"

// Present are the uids of those who are.
type Present = map[int]Screen

// Screen is what is known of the screen that somebody sits in front of.
type Screen struct {
	// Tells: its desktop has told of a lock of the screen before.
	Tells bool
}

// Config is what a Watch needs. All but Idle is required.
type Config struct {
	Address string // of the bus
	// Idle is how long somebody is present whose desktop calls him idle and has never told
	// of a locked screen; 0: for ever.
	Idle time.Duration
	Log  *slog.Logger
}

// Watch calls changed with who is present, first and whenever that changes, until ctx
// ends. What changed gives is closed when the change has been applied.
func Watch(ctx context.Context, c Config, changed func(Present) (applied <-chan struct{})) {
	pause := firstPause
	for {
		w := &watch{Config: c, changed: changed, sessions: map[dbus.ObjectPath]*seated{}}
		err := w.run(ctx)
		if ctx.Err() != nil {
			return
		}
		if w.last != nil {
			changed(Present{})
			pause = firstPause
		}
		c.Log.ErrorContext(ctx, "logind cannot be asked who is at this machine: no security key is offered until it can", "cause", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, longestPause)
	}
}

// watch is one connection's.
type watch struct {
	Config

	changed func(Present) <-chan struct{}

	conn     *dbus.Conn
	sessions map[dbus.ObjectPath]*seated
	asleep   bool            // or about to be
	delay    *os.File        // while open, logind waits with the sleep; nil for none
	last     Present         // what was said last; nil for nothing yet
	applied  <-chan struct{} // closed when that has been applied; may be nil
}

// run serves one connection until it ends.
func (w *watch) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.conn, err = dbus.Connect(w.Address, dbus.WithContext(ctx), dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if err != nil {
		return err
	}
	defer w.conn.Close() //nolint:errcheck // It has ended.
	defer w.letSleep()
	signals := make(chan *dbus.Signal, 16)
	w.conn.Signal(signals)
	if err := w.subscribe(ctx); err != nil {
		return err
	}
	if err := w.begin(ctx); err != nil {
		return err
	}
	alone := time.NewTimer(0)
	defer alone.Stop()
	for {
		if next := w.say(ctx); next > 0 {
			alone.Reset(next)
		} else {
			alone.Stop()
		}
		select {
		case <-alone.C:
		case s, ok := <-signals:
			if !ok {
				return errors.New("the connection to the bus has ended")
			}
			if err := w.heed(ctx, s); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// subscribe comes before the first question: what changes in between is not missed.
func (w *watch) subscribe(ctx context.Context) error {
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(service), dbus.WithMatchInterface(manager)},
		{dbus.WithMatchSender(service), dbus.WithMatchInterface(properties), dbus.WithMatchPathNamespace(sessionsPath)},
		{dbus.WithMatchSender(bus), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, service)},
	} {
		if err := w.conn.AddMatchSignalContext(ctx, match...); err != nil {
			return err
		}
	}
	return nil
}

// begin asks for all that there is.
func (w *watch) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	object := w.conn.Object(service, managerPath)
	var preparing dbus.Variant
	if err := object.CallWithContext(ctx, properties+".Get", 0, manager, "PreparingForSleep").Store(&preparing); err != nil {
		return err
	}
	w.asleep, _ = preparing.Value().(bool)
	var listed []struct {
		ID   string
		UID  uint32
		User string
		Seat string
		Path dbus.ObjectPath
	}
	if err := object.CallWithContext(ctx, manager+".ListSessions", 0).Store(&listed); err != nil {
		return err
	}
	for _, s := range listed {
		w.look(ctx, s.Path)
	}
	if !w.asleep {
		w.delaySleep(ctx)
	}
	return nil
}

// look asks for one session; one that is gone is forgotten.
func (w *watch) look(ctx context.Context, path dbus.ObjectPath) {
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	var p map[string]dbus.Variant
	err := w.conn.Object(service, path).CallWithContext(ctx, properties+".GetAll", 0, session).Store(&p)
	if err != nil {
		delete(w.sessions, path)
		return
	}
	now := seatedOf(p)
	now.after(w.sessions[path])
	w.sessions[path] = now
}

// heed takes up what logind tells.
func (w *watch) heed(ctx context.Context, s *dbus.Signal) error {
	switch s.Name {
	case bus + ".NameOwnerChanged":
		return errors.New("logind has been started anew")
	case manager + ".SessionNew", manager + ".SessionRemoved":
		if path, ok := argument[dbus.ObjectPath](s, 1); ok {
			w.look(ctx, path)
		}
	case properties + ".PropertiesChanged":
		w.look(ctx, s.Path)
	case manager + ".PrepareForSleep":
		if asleep, ok := argument[bool](s, 0); ok {
			w.prepare(ctx, asleep)
		}
	}
	return nil
}

func argument[T any](s *dbus.Signal, n int) (value T, ok bool) {
	if n < len(s.Body) {
		value, ok = s.Body[n].(T)
	}
	return value, ok
}

// prepare is what comes before the machine sleeps, and after it.
func (w *watch) prepare(ctx context.Context, asleep bool) {
	w.asleep = asleep
	if !asleep {
		w.delaySleep(ctx)
		return
	}
	if w.say(ctx); w.applied != nil { // also where the screen was locked just before
		select {
		case <-w.applied:
		case <-time.After(applyPatience):
			w.Log.WarnContext(ctx, "the machine goes to sleep before all security keys are withdrawn")
		case <-ctx.Done():
		}
	}
	w.letSleep()
}

// delaySleep has logind wait for us before the machine sleeps. Where it may not, we are
// told all the same, and perhaps too late.
func (w *watch) delaySleep(ctx context.Context) {
	w.letSleep()
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	var fd dbus.UnixFD
	err := w.conn.Object(service, managerPath).CallWithContext(ctx, manager+".Inhibit", 0,
		"sleep", "LocalPasskey", "Security keys are withdrawn before the machine sleeps", "delay").Store(&fd)
	if err != nil {
		w.Log.WarnContext(ctx, "logind does not wait for us before the machine sleeps", "cause", err)
		return
	}
	w.delay = os.NewFile(uintptr(fd), "inhibitor") //nolint:gosec // a descriptor that the kernel gave
}

func (w *watch) letSleep() {
	if w.delay != nil {
		_ = w.delay.Close()
		w.delay = nil
	}
}

// say tells who is present if that is not what was said last, and gives how long that
// holds; 0: until logind says something.
func (w *watch) say(ctx context.Context) time.Duration {
	now, next := w.present()
	if w.last == nil || !maps.Equal(w.last, now) {
		w.last = now
		w.Log.DebugContext(ctx, "who is at this machine has changed", "present", len(now))
		w.applied = w.changed(now)
	}
	return next
}
