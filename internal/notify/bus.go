package notify

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// From the Desktop Notifications Specification, version 1.2.
const (
	service = "org.freedesktop.Notifications"
	path    = dbus.ObjectPath("/org/freedesktop/Notifications")

	capabilityMarkup = "body-markup"

	urgencyNormal   = byte(1)
	urgencyCritical = byte(2) // stays until the person has seen it

	timeoutByServer = int32(-1)
)

// patience is how long the desktop gets to take a notification.
const patience = 5 * time.Second

var errNoBus = errors.New("the session has no message bus")

// show has the desktop at a bus show w, on a connection of its own: a bus that went and came
// back, or hangs, is no trouble to the next one.
func show(ctx context.Context, bus string, w words, replaces uint32) (id uint32, err error) {
	if bus == "" {
		return 0, errNoBus
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := dbus.Connect(bus, dbus.WithContext(ctx))
	if err != nil {
		return 0, err
	}
	defer conn.Close() //nolint:errcheck // What was to be shown has been taken or not.
	desktop := conn.Object(service, path)
	var capabilities []string
	if err := desktop.CallWithContext(ctx, service+".GetCapabilities", 0).Store(&capabilities); err != nil {
		return 0, err
	}
	body := w.body
	if slices.Contains(capabilities, capabilityMarkup) {
		body = escaped(body)
	}
	urgency := urgencyNormal
	if w.warning {
		urgency = urgencyCritical
	}
	call := desktop.CallWithContext(ctx, service+".Notify", 0,
		"LocalPasskey", replaces, "localpasskey", w.summary, body, []string{},
		map[string]dbus.Variant{
			"urgency":       dbus.MakeVariant(urgency),
			"desktop-entry": dbus.MakeVariant("localpasskey"),
		}, timeoutByServer)
	err = call.Store(&id)
	return id, err
}

// escaped is text for a body that is read as markup.
func escaped(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace(text)
}
