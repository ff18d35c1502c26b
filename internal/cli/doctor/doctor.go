// Package doctor is the command that looks for what stands in the way. It refuses to know
// where to look.
package doctor

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/command"
	"github.com/localpasskey/localpasskey/internal/cli/exit"
	"github.com/localpasskey/localpasskey/internal/cli/view"
	"github.com/localpasskey/localpasskey/internal/doctor"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// maxText bounds a text of the daemon or of a file, in code points.
const maxText = 1000

const long = `Looks at the TPM, the kernel, permissions, the service, the daemon, the agent, the
program that asks you, your browsers, the clock and the disk. It changes nothing and
asks nothing. What only the TPM knows, the daemon tells, so start it first.

Each line says ok, note, problem or not needed; a problem and a note have a hint. A note is
of what works and is less than it could be, as a software TPM.

Exit codes: 0 there is no problem, 1 there is one, 2 wrong usage.`

// Command is `doctor`; machine gives what it examines.
func Command(around command.Program, machine func() doctor.Machine) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what stands in the way, and say what to do",
		Long:  long,
		Args:  cobra.NoArgs,
		RunE: around.Does(func(ctx context.Context, _ []string) error {
			found := doctor.Examine(ctx, machine())
			show := table
			if asJSON {
				show = document
			}
			if err := show(around.Out, found); err != nil {
				return err
			}
			if doctor.Sick(found) {
				return &exit.Error{What: problems(found), Hint: "each says what to do; run it again afterwards", Code: exit.Failed}
			}
			return nil
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return c
}

func problems(found []doctor.Finding) string {
	n := 0
	for _, f := range found {
		if f.State == doctor.Problem {
			n++
		}
	}
	if n == 1 {
		return "there is one problem"
	}
	return "there are " + strconv.Itoa(n) + " problems"
}

// table writes a line for each finding, and one more for a hint.
func table(out io.Writer, found []doctor.Finding) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, f := range found {
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.State, prompt.Legible(f.Check, maxText), prompt.Legible(f.Text, maxText))
		if f.Hint != "" {
			fmt.Fprintf(w, "\thint:\t%s\n", prompt.Legible(f.Hint, maxText))
		}
	}
	return w.Flush()
}

// line is a finding in `doctor --json`.
type line struct {
	Check string `json:"check"`
	State string `json:"state"` // "ok", "note", "problem" or "not needed"
	Text  string `json:"text"`
	Hint  string `json:"hint"`
}

func document(out io.Writer, found []doctor.Finding) error {
	lines := make([]line, 0, len(found))
	for _, f := range found {
		lines = append(lines, line{f.Check, string(f.State), f.Text, f.Hint})
	}
	return view.JSON(out, lines)
}
