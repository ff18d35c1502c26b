package view

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/localpasskey/localpasskey/internal/ctap/notice"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// Gone shows passkeys whose keys are gone from the TPM, as far as their names are known.
func Gone(out io.Writer, gone *notice.Notice) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	names := gone.Names()
	if len(names) > 0 {
		fmt.Fprintln(w, "SERVICE\tUSER NAME\tSTATE")
	}
	for _, n := range names {
		fmt.Fprintf(w, "%s\t%s\tcannot be used any more\n", shortService(n.RPID), prompt.Legible(n.Account, userColumn))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var err error
	switch known := uint(len(names)); {
	case gone.Passkeys == known:
	case known == 0:
		_, err = fmt.Fprintf(out, "Passkeys that cannot be used any more, and whose names were sealed in the TPM too: %d. A list of\n"+
			"`localpasskey inventory export`, if you keep one, names them.\n", gone.Passkeys)
	default:
		_, err = fmt.Fprintf(out, "and %d more\n", gone.Passkeys-known)
	}
	return err
}

// goneJSON is Gone for scripts.
type goneJSON struct {
	Passkeys uint       `json:"passkeys"`
	Names    []nameJSON `json:"names"`
}

type nameJSON struct {
	Service  string `json:"service"`
	UserName string `json:"user_name"`
}

func goneOf(gone *notice.Notice) *goneJSON {
	if gone == nil {
		return nil
	}
	j := &goneJSON{Passkeys: gone.Passkeys, Names: []nameJSON{}}
	for _, n := range gone.Names() {
		j.Names = append(j.Names, nameJSON{n.RPID, n.Account})
	}
	return j
}
