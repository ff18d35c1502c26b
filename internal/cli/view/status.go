package view

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/notice"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// maxText bounds a text of the daemon, in code points.
const maxText = 1000

// Status shows the state of the authenticator.
func Status(out io.Writer, status *ctap.StatusResponse) error {
	if status.Prompt == ctap.PromptTouchID {
		return macStatus(out, status)
	}
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
	if status.SetUp {
		row("asks you", "%s", asks(status.Prompt))
		row("security key", "%s", securityKey(status))
	}
	return w.Flush()
}

// macStatus is Status where there is no daemon, and a finger in place of a PIN.
func macStatus(out io.Writer, status *ctap.StatusResponse) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("version", "%s", prompt.Legible(status.Version, maxText))
	switch {
	case status.Problem != nil:
		row("works", "no: %s", prompt.Legible(status.Problem.What, maxText))
	case !status.SetUp:
		row("set up", "no, run `localpasskey setup`")
	default:
		row("chip", "%s", prompt.Legible(status.Hardware, maxText))
		row("passkeys", "%d in this program; those of LocalPasskey.app are in a keychain that it alone can read", status.Passkeys)
		row("offered", "to browsers that have the extension: see `localpasskey browser status`")
	}
	return w.Flush()
}

func asks(p ctap.Prompt) string {
	switch p {
	case ctap.PromptAgent:
		return "through the agent of your session"
	case ctap.PromptTerminal:
		return "in the terminal where the daemon runs"
	default:
		return "nowhere, so whatever needs your yes is refused: run `localpasskey agent`"
	}
}

// securityKey tells where programs find the device, or why they do not.
func securityKey(status *ctap.StatusResponse) string {
	switch p := status.NodeProblem; {
	case status.Node != "":
		return prompt.Legible(status.Node, maxText) + ", for browsers, ssh and others"
	case p != nil && p.Hint != "":
		return "none: " + prompt.Legible(p.What, maxText) + "; hint: " + prompt.Legible(p.Hint, maxText)
	case p != nil:
		return "none: " + prompt.Legible(p.What, maxText)
	default:
		return "none"
	}
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
	Prompt    string       `json:"prompt"` // "agent", "terminal" or ""
	Node      string       `json:"node"`
	NodeGone  *problemJSON `json:"node_problem"`
	Problem   *problemJSON `json:"problem"`
	Gone      *goneJSON    `json:"gone,omitempty"`
}

type problemJSON struct {
	What string `json:"what"`
	Hint string `json:"hint"`
}

// StatusJSON is Status for scripts, and Gone where that is not nil.
func StatusJSON(out io.Writer, s *ctap.StatusResponse, gone *notice.Notice) error {
	j := statusJSON{
		Version: s.Version, SetUp: s.SetUp, PINSet: s.PINSet, Retries: s.PINRetries,
		Reconnect: s.Reinsert, Passkeys: s.Passkeys, AlwaysUV: s.AlwaysUV, Hardware: s.Hardware,
		Prompt: string(s.Prompt), Node: s.Node, NodeGone: problemOf(s.NodeProblem), Problem: problemOf(s.Problem),
		Gone: goneOf(gone),
	}
	return JSON(out, j)
}

func problemOf(p *ctap.Problem) *problemJSON {
	if p == nil {
		return nil
	}
	return &problemJSON{What: p.What, Hint: p.Hint}
}
