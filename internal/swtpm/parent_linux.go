package swtpm

import "syscall"

// dieWithParent has the kernel kill the child when the thread that started it ends.
// It is in a process group of its own: a Ctrl-C at the terminal is for its parent,
// which shuts it down in order.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
