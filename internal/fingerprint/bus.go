package fingerprint

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// SystemBus is the address of the bus that fprintd is on.
const SystemBus = "unix:path=/run/dbus/system_bus_socket"

// From fprintd's and logind's interfaces, and the D-Bus specification.
const (
	service     = "net.reactivated.Fprint"
	manager     = service + ".Manager"
	managerPath = dbus.ObjectPath("/net/reactivated/Fprint/Manager")
	device      = service + ".Device"
	status      = device + ".VerifyStatus"
	anyFinger   = "any"

	logind     = "org.freedesktop.login1"
	logindPath = dbus.ObjectPath("/org/freedesktop/login1")
	properties = "org.freedesktop.DBus.Properties"

	busName          = "org.freedesktop.DBus"
	nameOwnerChanged = busName + ".NameOwnerChanged"
)

// From the interface: what VerifyStatus says. All others are of a finger that is to be laid
// on again, or that something went wrong.
const (
	resultMatch   = "verify-match"
	resultNoMatch = "verify-no-match"
)

// patience is how long each answer is waited for, and with it the prompt; fprintd may have to
// be started first. Where no prompt waits it is longer.
const (
	patience     = 3 * time.Second
	lookPatience = 10 * time.Second
)

// Errors of a reader. errAway and errGone are about now, the others stay until somebody
// does something.
var (
	// ErrNoMatch is a finger that is not the user's.
	ErrNoMatch = errors.New("the finger is not the user's")
	// ErrNoReader is a machine without one.
	ErrNoReader = errors.New("no fingerprint reader is known to fprintd")
	// ErrNotEnrolled is a user of whom the system knows no finger.
	ErrNotEnrolled = errors.New("no finger of the user is enrolled")
	// ErrRefused is a daemon that may not use the reader.
	ErrRefused = errors.New("fprintd does not let the daemon use the reader")
	// ErrAway is fprintd not answering.
	ErrAway = errors.New("fprintd does not answer")

	errGone = errors.New("the reader has stopped")
)

// Reader is the machine's fingerprint reader for one user.
type Reader struct {
	Bus string // address
	UID int

	mu    sync.Mutex
	given <-chan struct{} // closed when the last claim has been given back; nil for none
}

// claim is a device that is ours until it is closed.
type claim struct {
	conn    *dbus.Conn
	end     context.CancelFunc // of conn
	fprintd string             // the unique name of its connection
	device  dbus.BusObject
	user    string
	signals chan *dbus.Signal
	given   chan<- struct{}
}

// dial connects and finds fprintd. The connection outlives ctx only where nothing has failed.
func (r *Reader) dial(ctx context.Context) (*claim, error) {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, end)()
	conn, err := dbus.Connect(r.Bus, dbus.WithContext(life))
	if err != nil {
		end()
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	c := &claim{conn: conn, end: end}
	if err := c.find(ctx, r.UID); err != nil {
		c.hangUp()
		return nil, err
	}
	return c, nil
}

// find asks who fprintd is, for its reader, and for the user's name.
func (c *claim) find(ctx context.Context, uid int) (err error) {
	if c.fprintd, err = c.owner(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	var path dbus.ObjectPath
	err = c.conn.Object(c.fprintd, managerPath).CallWithContext(ctx, manager+".GetDefaultDevice", 0).Store(&path)
	if err != nil {
		return said(err)
	}
	c.device = c.conn.Object(c.fprintd, path)
	if c.user, err = c.nameOf(ctx, uid); err != nil {
		return fmt.Errorf("logind does not tell the user's name: %w", err)
	}
	return nil
}

// owner is the unique name of the connection that owns fprintd's, which only root's may.
func (c *claim) owner(ctx context.Context) (name string, err error) {
	bus := c.conn.BusObject()
	err = bus.CallWithContext(ctx, busName+".GetNameOwner", 0, service).Store(&name)
	if nameOf(err) == busName+".Error.NameHasNoOwner" {
		if err = bus.CallWithContext(ctx, busName+".StartServiceByName", 0, service, uint32(0)).Err; err == nil {
			err = bus.CallWithContext(ctx, busName+".GetNameOwner", 0, service).Store(&name)
		}
	}
	return name, err
}

// nameOf asks logind: programs without libc see the users of /etc/passwd alone.
func (c *claim) nameOf(ctx context.Context, uid int) (string, error) {
	var path dbus.ObjectPath
	err := c.conn.Object(logind, logindPath).CallWithContext(ctx, logind+".Manager.GetUser", 0, uint32(uid)).Store(&path) //nolint:gosec // a uid
	if err != nil {
		return "", err
	}
	var name dbus.Variant
	if err := c.conn.Object(logind, path).CallWithContext(ctx, properties+".Get", 0, logind+".User", "Name").Store(&name); err != nil {
		return "", err
	}
	user, _ := name.Value().(string)
	if user == "" { // which fprintd would take for us
		return "", errors.New("it is empty")
	}
	return user, nil
}

// enrolled counts the user's fingers.
func (c *claim) enrolled(ctx context.Context) (int, error) {
	var fingers []string
	if err := c.device.CallWithContext(ctx, device+".ListEnrolledFingers", 0, c.user).Store(&fingers); err != nil {
		return 0, said(err)
	}
	if len(fingers) == 0 {
		return 0, ErrNotEnrolled
	}
	return len(fingers), nil
}

// Enrolled tells how many fingers the system knows of the user, or why a finger cannot be
// looked at. The reader is not taken for that.
func (r *Reader) Enrolled(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	c, err := r.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer c.hangUp()
	return c.enrolled(ctx)
}

// claim takes the reader, once it has been given back after the last time. Signals are
// listened to from then on only: what fprintd has said of others' fingers before does not
// come.
func (r *Reader) claim(ctx context.Context) (*claim, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.given != nil {
		select {
		case <-r.given:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: it does not take the reader back", ErrAway)
		}
	}
	c, err := r.dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.take(ctx); err != nil {
		c.hangUp()
		return nil, err
	}
	given := make(chan struct{})
	r.given, c.given = given, given
	return c, nil
}

func (c *claim) take(ctx context.Context) error {
	if _, err := c.enrolled(ctx); err != nil {
		return err
	}
	if err := c.device.CallWithContext(ctx, device+".Claim", 0, c.user).Err; err != nil {
		return said(err)
	}
	c.signals = make(chan *dbus.Signal, 16)
	c.conn.Signal(c.signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(c.fprintd), dbus.WithMatchInterface(device), dbus.WithMatchObjectPath(c.device.Path())},
		{dbus.WithMatchSender(busName), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, c.fprintd)},
	} {
		if err := c.conn.AddMatchSignalContext(ctx, match...); err != nil {
			return fmt.Errorf("%w: %w", ErrAway, err)
		}
	}
	return nil
}

// verify waits for one finger: nil for the user's, ErrNoMatch for another. After any other
// error nothing more can be asked of the reader.
func (c *claim) verify(ctx context.Context) error {
	if err := c.call(ctx, "VerifyStart", anyFinger); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s, open := <-c.signals:
			if !open {
				return errGone
			}
			result, done, err := c.heed(s)
			switch {
			case err != nil:
				return err
			case result == resultMatch:
				return nil
			case result == resultNoMatch:
				return errors.Join(ErrNoMatch, c.call(ctx, "VerifyStop"))
			case done:
				return fmt.Errorf("%w: %q", errGone, result)
			}
		}
	}
}

// heed reads a signal that is fprintd's; of others it gives nothing. Anybody can send any
// signal to anybody: who has sent it is the bus's word.
func (c *claim) heed(s *dbus.Signal) (result string, done bool, err error) {
	switch {
	case s.Sender == busName && s.Name == nameOwnerChanged:
		if len(s.Body) == 3 && s.Body[0] == c.fprintd && s.Body[2] == "" {
			return "", true, errGone
		}
	case s.Sender == c.fprintd && s.Path == c.device.Path() && s.Name == status && len(s.Body) == 2:
		result, ok := s.Body[0].(string)
		done, is := s.Body[1].(bool)
		if ok && is {
			return result, done, nil
		}
	}
	return "", false, nil
}

// call is a call on the device that is waited for.
func (c *claim) call(ctx context.Context, method string, arguments ...any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return said(c.device.CallWithContext(ctx, device+"."+method, 0, arguments...).Err)
}

// close gives the device back, step by step and without keeping anybody waiting. The end of
// the connection would do the same, but fprintd 1.94.2 can crash when it ends in the middle
// of that.
func (c *claim) close(ctx context.Context) {
	go func() {
		defer close(c.given)
		defer c.hangUp()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		for _, method := range []string{"VerifyStop", "Release"} {
			// The first fails where no finger is waited for. All that is left to do for the
			// second is to hang up.
			_ = c.device.CallWithContext(ctx, device+"."+method, 0).Err
		}
	}()
}

func (c *claim) hangUp() {
	_ = c.conn.Close()
	c.end()
}

func nameOf(err error) string {
	if e, ok := errors.AsType[dbus.Error](err); ok {
		return e.Name
	}
	return ""
}

// said puts fprintd's errors into ours.
func said(err error) error {
	if err == nil {
		return nil
	}
	kind := ErrAway
	switch nameOf(err) {
	case service + ".Error.NoSuchDevice":
		kind = ErrNoReader
	case service + ".Error.NoEnrolledPrints":
		kind = ErrNotEnrolled
	case service + ".Error.PermissionDenied", busName + ".Error.AccessDenied":
		kind = ErrRefused
	case service + ".Error.AlreadyInUse", service + ".Error.Internal", service + ".Error.NoActionInProgress", service + ".Error.ClaimDevice":
		kind = errGone
	}
	return fmt.Errorf("%w: %w", kind, err)
}
