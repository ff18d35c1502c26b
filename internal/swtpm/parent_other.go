//go:build !linux

package swtpm

import "syscall"

// dieWithParent has nothing to offer here; swtpm ends with its socket.
func dieWithParent() *syscall.SysProcAttr { return nil }
