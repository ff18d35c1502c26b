package inventory

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/localpasskey/localpasskey/internal/inventory"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// Ours: what a row has room for, in code points.
const column = 40

// table shows what has a passkey on one device only, and counts the rest.
func table(out io.Writer, c *inventory.Comparison) error {
	a, b := prompt.Legible(c.A, column), prompt.Legible(c.B, column)
	if len(c.OnlyA)+len(c.OnlyB) > 0 {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ONLY ON\tSERVICE\tUSER NAME\tCREATED\tLAST USED")
		rows(w, a, c.OnlyA)
		rows(w, b, c.OnlyB)
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "If %s dies, %s.\n", a, lost(len(c.OnlyA)))
	fmt.Fprintf(out, "If %s dies, %s.\n", b, lost(len(c.OnlyB)))
	_, err := fmt.Fprintf(out, "Accounts with a passkey on both: %d.\n", len(c.Both))
	return err
}

// lost says what a device's death means.
func lost(accounts int) string {
	switch accounts {
	case 0:
		return "no account loses its last passkey"
	case 1:
		return "1 account has no passkey left on the other"
	default:
		return fmt.Sprintf("%d accounts have no passkey left on the other", accounts)
	}
}

func rows(w io.Writer, device string, passkeys []inventory.Passkey) {
	for _, p := range passkeys {
		used := "never"
		if p.LastUsed != nil {
			used = p.LastUsed.Local().Format(time.DateOnly)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", device, prompt.Service(p.Service),
			prompt.Legible(p.UserName, column), p.Created.Local().Format(time.DateOnly), used)
	}
}
