// Package exit says how a command ends when it fails: in words, and by a code that
// scripts rely on. It refuses to know commands.
package exit

// The codes. They are in `localpasskey --help`.
const (
	OK          = 0
	Failed      = 1
	Usage       = 2
	NotFound    = 3
	Refused     = 4
	Unavailable = 5
	PIN         = 6
)

// Error is an error for a person: what happened, what to do, and the code.
type Error struct {
	What, Hint string
	Code       int
}

// Error says what happened.
func (e *Error) Error() string { return e.What }
