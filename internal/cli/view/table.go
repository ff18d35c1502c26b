package view

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// Ours: what a row of the table has room for, in code points.
const (
	serviceColumn = 40
	userColumn    = 40
)

// Table shows passkeys, a line for each.
func Table(out io.Writer, passkeys []ctap.Passkey) error {
	ids := ShortIDs(passkeys)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERVICE\tUSER NAME\tCREATED\tLAST USED\tKIND\tID")
	for i, p := range passkeys {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", shortService(p.RPID), prompt.Legible(p.User.Name, userColumn),
			date(p.Created), date(p.LastUsed), kind(p), ids[i])
	}
	return w.Flush()
}

// shortService keeps the end of a long service name: it says whose it is.
func shortService(rpID string) string {
	name := []rune(prompt.Service(rpID))
	if over := len(name) - serviceColumn; over > 0 {
		return "…" + string(name[over+1:])
	}
	return string(name)
}

// ID is how commands name a passkey: its credential ID in hex.
func ID(p ctap.Passkey) string { return fmt.Sprintf("%x", p.CredentialID) }

// ShortIDs gives the beginnings of the IDs, as long as it takes to tell these
// passkeys apart and at least 8 digits.
func ShortIDs(passkeys []ctap.Passkey) []string {
	for digits := 8; ; digits += 2 {
		ids := make([]string, 0, len(passkeys))
		seen := map[string]bool{}
		for _, p := range passkeys {
			id := ID(p)
			id = id[:min(digits, len(id))]
			ids, seen[id] = append(ids, id), true
		}
		if len(seen) == len(passkeys) || digits >= 2*maxIDBytes {
			return ids
		}
	}
}

// maxIDBytes bounds a credential ID (WebAuthn L3 §5.8.3).
const maxIDBytes = 1023

func kind(p ctap.Passkey) string {
	if p.Discoverable {
		return "passkey"
	}
	return "security key"
}

// date is a day of this machine's calendar.
func date(seconds int64) string {
	if seconds == 0 {
		return "never"
	}
	return time.Unix(seconds, 0).Format(time.DateOnly)
}
