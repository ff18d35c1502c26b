//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package prompt

import "golang.org/x/sys/unix"

// How the BSDs spell reading the terminal's mode, and setting it while discarding
// what was typed and not yet read.
const (
	getMode         = unix.TIOCGETA
	setModeAndFlush = unix.TIOCSETAF
	noCharacter     = 0xff
)
