// Package logindtest plays systemd-logind on a message bus of its own: a real
// dbus-daemon, and sessions that a test locks, switches and ends.
package logindtest
