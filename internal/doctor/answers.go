package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/chip"
	"github.com/localpasskey/localpasskey/internal/ctap/finger"
	"github.com/localpasskey/localpasskey/internal/socket"
)

// patience is how long a daemon may take to answer: a busy TPM is waited for.
const patience = 15 * time.Second

// answers are what the daemon says; nil for what it does not.
type answers struct {
	status  *ctap.StatusResponse
	report  *chip.Report
	fingers *finger.State
	err     error // why there is no status
	old     error // why there is no report
}

// ask asks the daemon all that is needed of it.
func (m Machine) ask(ctx context.Context) *answers {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d := &answers{}
	if m.Socket == "" {
		return d
	}
	conn, err := socket.Dial(ctx, m.Socket)
	if err != nil {
		return &answers{err: err}
	}
	defer conn.Close() //nolint:errcheck // All that was asked has been answered.
	client := ctap.NewClient(conn)
	if d.status, d.err = ctap.Call[ctap.StatusResponse](ctx, client, ctap.CommandStatus, nil); d.err != nil {
		d.status = nil
		return d
	}
	if d.report, d.old = ctap.Call[chip.Report](ctx, client, chip.Command, nil); d.old != nil {
		d.report = nil
	}
	d.fingers = finger.Ask(ctx, client)
	return d
}

// daemon tells whether the daemon answers, and whether it is of this version.
func (m Machine) daemon(d *answers) Finding {
	const check = "daemon"
	start := "for trials, run `localpasskey daemon --user` in a terminal that stays open"
	if m.serviceUnit() != "" {
		start = "run: sudo systemctl restart localpasskey; `journalctl -u localpasskey` tells why it ended"
	}
	switch {
	case m.Socket == "":
		return wrong(check, "the system names no place for its socket (XDG_RUNTIME_DIR is not set)", "log in to a session of your own, or name it: --socket PATH")
	case d.status == nil:
		return wrong(check, fmt.Sprintf("no daemon answers at %s: %v", m.Socket, d.err), start)
	case d.status.Version != m.Version:
		return wrong(check, fmt.Sprintf("the daemon is of version %s, this program of %s", d.status.Version, m.Version), "start the daemon anew")
	default:
		return ok(check, "answers at "+m.Socket+", version "+d.status.Version)
	}
}

// silent is the finding of what only the daemon could have told.
func silent(check string) Finding {
	return Finding{Check: check, State: NotNeeded, Text: "not looked at: only the daemon can tell, and none answers"}
}

// setUp tells whether there is a store whose keys the TPM has.
func (d *answers) setUp() Finding {
	const check = "set-up"
	switch {
	case d.status == nil:
		return silent(check)
	case d.status.Problem != nil:
		return wrong(check, d.status.Problem.What, hintOf(d.status.Problem))
	case !d.status.SetUp:
		return wrong(check, "LocalPasskey is not set up", "run `localpasskey setup`")
	default:
		return ok(check, fmt.Sprintf("done; %d passkeys", d.status.Passkeys))
	}
}

// pin tells whether the PIN can be used.
func (d *answers) pin() Finding {
	const check = "PIN"
	switch s := d.status; {
	case s == nil:
		return silent(check)
	case !s.SetUp || s.Problem != nil:
		return notNeeded(check, "there is none to look at")
	case !s.PINSet:
		return wrong(check, "no PIN is set", "run `localpasskey pin set`")
	case s.PINRetries == 0:
		return wrong(check, "the PIN is locked for good", "its passkeys cannot be used any more; `localpasskey reset` begins anew")
	case s.Reinsert:
		return wrong(check, "three wrong PINs in a row", fmt.Sprintf("run `localpasskey reconnect`, and type with care: %d tries are left", s.PINRetries))
	default:
		return ok(check, fmt.Sprintf("set, wrong ones left: %d", s.PINRetries))
	}
}

// key tells whether programs find the security key.
func (d *answers) key() Finding {
	const check = "security key"
	switch s := d.status; {
	case s == nil:
		return silent(check)
	case s.Node != "":
		return ok(check, s.Node)
	case s.NodeProblem != nil:
		return wrong(check, s.NodeProblem.What, hintOf(s.NodeProblem))
	case !s.SetUp:
		return notNeeded(check, "it comes with the set-up")
	default:
		return wrong(check, "the daemon offers none: browsers and ssh find nothing", "look at the lines about uhid, then run `localpasskey reconnect`")
	}
}

// agent tells whether and where the person is asked.
func (d *answers) agent() Finding {
	const check = "agent"
	switch {
	case d.status == nil:
		return silent(check)
	case d.status.Prompt == ctap.PromptAgent:
		return ok(check, "asks in your session")
	case d.status.Prompt == ctap.PromptTerminal:
		return notNeeded(check, "the daemon asks in its own terminal")
	default:
		return wrong(check, "there is none, so whatever needs your yes is refused",
			"run `localpasskey agent` in your session, or, where it is installed: systemctl --user enable --now localpasskey-agent.service")
	}
}

// lockScreen tells whether the security key goes when the screen is locked.
func (d *answers) lockScreen() Finding {
	const check = "lock screen"
	switch {
	case d.status == nil:
		return silent(check)
	case d.status.LockTold == nil:
		return notNeeded(check, "nobody watches it for you: there is no service, or you are not in front of this machine")
	case !*d.status.LockTold:
		return note(check, "your desktop has not told the system of a locked screen since the service started, so locking may not withdraw the security key; it goes when the desktop calls you idle for some time",
			"lock the screen once and look again: if this stays, the lock screen does not set logind's LockedHint, and `man localpasskey-daemon` says what --idle does")
	default:
		return ok(check, "your desktop tells the system of it, and the security key goes with it")
	}
}

func hintOf(p *ctap.Problem) string {
	if p.Hint == "" {
		return "the daemon's log says why"
	}
	return p.Hint
}
