package view

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// maxText bounds a text of the daemon, in code points.
const maxText = 1000

// Status shows the state of the authenticator.
func Status(out io.Writer, status *ctap.StatusResponse) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
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

// statusJSON is what StatusJSON writes.
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

// StatusJSON is Status for scripts.
func StatusJSON(out io.Writer, s *ctap.StatusResponse) error {
	j := statusJSON{
		Version: s.Version, SetUp: s.SetUp, PINSet: s.PINSet, Retries: s.PINRetries,
		Reconnect: s.Reinsert, Passkeys: s.Passkeys, AlwaysUV: s.AlwaysUV, Hardware: s.Hardware,
	}
	if s.Problem != nil {
		j.Problem = &problemJSON{What: s.Problem.What, Hint: s.Problem.Hint}
	}
	return JSON(out, j)
}
