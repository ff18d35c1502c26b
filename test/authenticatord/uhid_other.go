//go:build !linux

package main

import (
	"context"
	"errors"
)

// plugUHID says that only Linux has /dev/uhid.
func plugUHID(context.Context) (door, error) {
	return nil, errors.New("-uhid needs Linux; use -listen unix:PATH")
}
