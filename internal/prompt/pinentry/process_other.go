//go:build !linux

package pinentry

import "syscall"

// endWithUs has no equivalent here: the program ends when its stdin does.
func endWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
