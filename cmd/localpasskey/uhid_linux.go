package main

import (
	"crypto/rand"

	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/uhid"
)

// plug makes the security key that programs of this machine find, through the kernel's
// node at path; "" for none. Each one is told apart by chance: a serial number that
// lasted would be a name for this machine that every program can read.
func plug(path string) func() (daemon.Device, error) {
	if path == "" {
		return nil
	}
	return func() (daemon.Device, error) {
		d, err := uhid.Create(path, uhid.Info{Name: "LocalPasskey", Unique: rand.Text()})
		if err != nil {
			return nil, err // not d: a nil *Device in a Device would pass for one
		}
		return d, nil
	}
}
