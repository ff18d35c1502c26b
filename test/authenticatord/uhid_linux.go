package main

import (
	"context"

	"github.com/localpasskey/localpasskey/internal/uhid"
)

// kernelDevice is a HID device of this machine's kernel.
type kernelDevice struct{ *uhid.Device }

// String names it.
func (kernelDevice) String() string { return "uhid" }

// plugUHID makes a device whose node the kernel's rules give to whom they will.
func plugUHID(context.Context) (door, error) {
	d, err := uhid.Create("/dev/uhid", uhid.Info{Name: "LocalPasskey authenticatord"})
	if err != nil {
		return nil, err
	}
	return kernelDevice{d}, nil
}
