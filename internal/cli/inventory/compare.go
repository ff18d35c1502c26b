package inventory

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/localpasskey/localpasskey/internal/cli/view"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// Ours: what a row has room for, in code points.
const column = 40

// Comparison tells which accounts have a passkey where.
type Comparison struct {
	A     string    `json:"a"` // names of the devices
	B     string    `json:"b"`
	OnlyA []Passkey `json:"only_a"`
	OnlyB []Passkey `json:"only_b"`
	Both  []Passkey `json:"both"` // as A has them
}

// Compare compares two devices, account by account.
func Compare(a, b *List) *Comparison {
	c := &Comparison{A: a.Device, B: b.Device, OnlyA: []Passkey{}, OnlyB: []Passkey{}, Both: []Passkey{}}
	inA, inB := accounts(a), accounts(b)
	for key, p := range inA {
		if _, ok := inB[key]; ok {
			c.Both = append(c.Both, p)
		} else {
			c.OnlyA = append(c.OnlyA, p)
		}
	}
	for key, p := range inB {
		if _, ok := inA[key]; !ok {
			c.OnlyB = append(c.OnlyB, p)
		}
	}
	for _, list := range [][]Passkey{c.OnlyA, c.OnlyB, c.Both} {
		slices.SortFunc(list, func(x, y Passkey) int {
			return cmp.Or(cmp.Compare(x.Service, y.Service), cmp.Compare(x.UserName, y.UserName), cmp.Compare(x.Account, y.Account))
		})
	}
	return c
}

// accounts gives one passkey for each account: the newest.
func accounts(l *List) map[[2]string]Passkey {
	found := map[[2]string]Passkey{}
	for _, p := range l.Passkeys {
		key := [2]string{p.Service, p.Account}
		if old, ok := found[key]; !ok || p.Created.After(old.Created) {
			found[key] = p
		}
	}
	return found
}

// Table shows what has a passkey on one device only, and counts the rest.
func (c *Comparison) Table(out io.Writer) error {
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

func rows(w io.Writer, device string, passkeys []Passkey) {
	for _, p := range passkeys {
		used := "never"
		if p.LastUsed != nil {
			used = p.LastUsed.Local().Format(time.DateOnly)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", device, prompt.Service(p.Service),
			prompt.Legible(p.UserName, column), p.Created.Local().Format(time.DateOnly), used)
	}
}

// JSON is Table for scripts.
func (c *Comparison) JSON(out io.Writer) error { return view.JSON(out, c) }
