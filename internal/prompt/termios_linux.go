package prompt

import "golang.org/x/sys/unix"

// How Linux spells reading the terminal's mode, and setting it while discarding
// what was typed and not yet read.
const (
	getMode         = unix.TCGETS
	setModeAndFlush = unix.TCSETSF
	noCharacter     = 0
)
