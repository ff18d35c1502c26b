// Package notifytest plays the desktop that shows notifications, on a message bus of its own: a
// real dbus-daemon.
package notifytest
