package macos

import "fmt"

// The domains of errors that we tell apart.
const (
	DomainOSStatus            = "NSOSStatusErrorDomain"
	DomainLocalAuthentication = "com.apple.LocalAuthentication"
)

// Error is an NSError or CFError.
type Error struct {
	Domain string
	Code   int
	Text   string
}

// Error says what the system says.
func (e *Error) Error() string { return fmt.Sprintf("%s (%s %d)", e.Text, e.Domain, e.Code) }

// Is compares domain and code.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Domain == e.Domain && other.Code == e.Code
}
