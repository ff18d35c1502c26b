//go:build !linux

package main

import "github.com/localpasskey/localpasskey/internal/daemon"

// plug offers no device: this system has no way to make one.
func plug(string, int) func() (daemon.Device, error) { return nil }
