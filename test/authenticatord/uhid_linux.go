package main

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/localpasskey/localpasskey/internal/uhid"
)

// kernelDevice is a HID device of this machine's kernel.
type kernelDevice struct {
	*uhid.Device

	node string
}

// String names its node.
func (d kernelDevice) String() string { return d.node }

// plugUHID makes a device whose node the kernel's rules give to whom they will.
func plugUHID(ctx context.Context) (door, error) {
	d, err := uhid.Create("/dev/uhid", uhid.Info{Name: "LocalPasskey authenticatord", Unique: rand.Text()})
	if err != nil {
		return nil, err
	}
	node, err := d.Node(ctx)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return kernelDevice{Device: d, node: node}, nil
}
