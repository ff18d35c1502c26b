// Package places names the files by which programs of ours find each other: what one
// writes, another reads.
//
// It refuses to know what is in them. What is no absolute path in the environment is
// ignored (XDG Base Directory Specification); "" is where the system names no place.
package places

import "path/filepath"

// Where the daemon for all users listens and keeps their stores, as its units in
// packaging/linux have it. systemd names the second in STATE_DIRECTORY.
const (
	SystemSocket = "/run/localpasskey/socket"
	SystemState  = "/var/lib/localpasskey"
)

const folder = "localpasskey"

// Environment gives the value of a variable, "" for none.
type Environment func(name string) string

// Socket is where the user's own daemon listens.
func (e Environment) Socket() string { return Below(e("XDG_RUNTIME_DIR"), folder, "socket") }

// SessionBus is the address of the session's message bus, where the system says so or has
// it at the usual place.
func (e Environment) SessionBus() string {
	if address := e("DBUS_SESSION_BUS_ADDRESS"); address != "" {
		return address
	}
	if path := Below(e("XDG_RUNTIME_DIR"), "bus"); path != "" {
		return "unix:path=" + path
	}
	return ""
}

// Store is the store of the user's own daemon.
func (e Environment) Store() string {
	return Below(e.home("XDG_DATA_HOME", ".local", "share"), folder, "passkeys.db")
}

// State is the directory of what programs note for each other, and may be lost.
func (e Environment) State() string {
	return Below(e.home("XDG_STATE_HOME", ".local", "state"), folder)
}

// StoreOnMac is the store of the command line and the browser's program on a Mac.
func (e Environment) StoreOnMac() string {
	return Below(e("HOME"), "Library", "Application Support", "LocalPasskey", "passkeys.db")
}

// home is the directory that a variable names, or the usual one in the home directory.
func (e Environment) home(name string, usual ...string) string {
	if dir := e(name); filepath.IsAbs(dir) {
		return dir
	}
	return Below(e("HOME"), usual...)
}

// Below names a file below a directory; "" where that is no absolute path.
func Below(dir string, elements ...string) string {
	if !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(append([]string{dir}, elements...)...)
}
