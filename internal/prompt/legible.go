package prompt

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Ours: how much of a foreign text is shown, in code points.
const (
	maxName    = 64
	maxService = 253 // the longest domain name there is
	maxOrigin  = len("https://") + maxService + len(":65535")
)

// maxMarks is how many combining marks may follow a character. Piled higher they
// paint over the lines above.
const maxMarks = 2

// Legible makes a text that a relying party, a program or a file chose harmless to
// show: one line of at most limit code points, without control characters, terminal
// escapes, and characters that turn the direction of writing or take no room. What
// is too long ends in "…".
func Legible(text string, limit int) string {
	clean := printable(text)
	if len(clean) > limit {
		clean = append(clean[:limit-1], '…')
	}
	return string(clean)
}

// Service is Legible for a relying party's ID. A long one loses its beginning: the
// end of a domain name is what says whose it is. U2F tells no name, only a hash.
func Service(rpID string) string {
	clean := printable(rpID)
	if over := len(clean) - maxService; over > 0 {
		clean = append([]rune{'…'}, clean[over+1:]...)
	}
	switch {
	case rpID == "":
		return "(a U2F site)"
	case len(clean) == 0:
		return "(no name)"
	}
	return string(clean)
}

// printable drops what cannot be seen. Invalid UTF-8 becomes U+FFFD, which can.
func printable(text string) []rune {
	var clean []rune
	marks := 0
	for _, r := range strings.TrimSpace(text) {
		switch {
		case unicode.Is(unicode.M, r):
			if marks++; marks > maxMarks {
				continue
			}
		case unicode.IsSpace(r):
			r = ' '
			marks = 0
		case !unicode.IsPrint(r) && r != utf8.RuneError:
			continue
		default:
			marks = 0
		}
		clean = append(clean, r)
	}
	return clean
}
