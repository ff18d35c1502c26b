package cli

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

func (r *run) statusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "See whether everything works, and what stands in the way",
		Args:  cobra.NoArgs,
		RunE: r.does(func(ctx context.Context, _ []string) error {
			return r.connected(ctx, func(s *session) error { return r.showStatus(s.status, asJSON) })
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return c
}

// showStatus shows the state; a problem is this command's failure as well.
func (r *run) showStatus(status *ctap.StatusResponse, asJSON bool) error {
	var err error
	if asJSON {
		err = r.writeJSON(newStatusJSON(status))
	} else {
		err = r.tabulateStatus(status)
	}
	if err == nil && status.Problem != nil {
		return status.Problem
	}
	return err
}

func (r *run) tabulateStatus(status *ctap.StatusResponse) error {
	w := tabwriter.NewWriter(r.Out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("daemon", "version %s", prompt.Legible(status.Version, maxText))
	switch {
	case status.Problem != nil:
		row("works", "no: %s", prompt.Legible(status.Problem.What, maxText))
	case !status.SetUp:
		row("set up", "no, run `localpasskey setup`")
	default:
		row("TPM", "%s", prompt.Legible(status.Hardware, maxText))
		row("PIN", "%s", pinState(status))
		row("PIN demanded", "%s", demanded(status.AlwaysUV))
		row("passkeys", "%d", status.Passkeys)
	}
	return w.Flush()
}

func pinState(status *ctap.StatusResponse) string {
	tries := prompt.Tries(int(status.PINRetries))
	switch {
	case !status.PINSet:
		return "not set, run `localpasskey pin set`"
	case status.PINRetries == 0:
		return "locked for good: `localpasskey reset` begins anew without the passkeys"
	case status.Reinsert:
		return "three wrong ones in a row: `localpasskey reconnect` gives you the " + tries + " that are left"
	default:
		return "set, " + tries + " left"
	}
}

func demanded(always bool) string {
	if always {
		return "always; new passkeys are bound to it by the TPM itself"
	}
	return "when a service asks for it"
}

// statusJSON is `status --json`.
type statusJSON struct {
	Version   string       `json:"version"`
	SetUp     bool         `json:"set_up"`
	PINSet    bool         `json:"pin_set"`
	Retries   uint         `json:"pin_retries"`
	Reconnect bool         `json:"reconnect_needed"`
	Passkeys  uint         `json:"passkeys"`
	AlwaysUV  bool         `json:"always_uv"`
	Hardware  string       `json:"hardware"`
	Problem   *problemJSON `json:"problem"`
}

type problemJSON struct {
	What string `json:"what"`
	Hint string `json:"hint"`
}

func newStatusJSON(s *ctap.StatusResponse) statusJSON {
	j := statusJSON{
		Version: s.Version, SetUp: s.SetUp, PINSet: s.PINSet, Retries: s.PINRetries,
		Reconnect: s.Reinsert, Passkeys: s.Passkeys, AlwaysUV: s.AlwaysUV, Hardware: s.Hardware,
	}
	if s.Problem != nil {
		j.Problem = &problemJSON{What: s.Problem.What, Hint: s.Problem.Hint}
	}
	return j
}
