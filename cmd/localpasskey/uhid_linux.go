package main

import (
	"crypto/rand"
	"strconv"

	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/uhid"
)

// plug makes the security key that a user's programs find, through the kernel's node at
// path; "" for none. udev gives it to that user (71-localpasskey.rules). Each one is told apart by chance: a serial number that
// lasted would be a name for this machine that every program can read.
func plug(path string, uid int) func() (daemon.Device, error) {
	if path == "" {
		return nil
	}
	return func() (daemon.Device, error) {
		d, err := uhid.Create(path, uhid.Info{Name: "LocalPasskey", Place: strconv.Itoa(uid), Unique: rand.Text()})
		if err != nil {
			return nil, err // not d: a nil *Device in a Device would pass for one
		}
		return d, nil
	}
}
