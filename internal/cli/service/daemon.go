package service

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/exit"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// defaultTPM is the TPM's resource manager: programs share it.
const defaultTPM = "/dev/tpmrm0"

// defaultIdle is how long nobody touches a machine whose screen may be locked or not.
// Ours: desktops call a user idle after some five minutes themselves.
const defaultIdle = 10 * time.Minute

// defaultUHID is where Linux lets programs make HID devices.
const defaultUHID = "/dev/uhid"

func (p Program) daemonCommand() *cobra.Command {
	o := DaemonOptions{}
	var user bool
	var store, state string
	c := &cobra.Command{
		Use:   "daemon",
		Short: "Run the authenticator that all other commands talk to",
		Long: `Runs the authenticator until it is stopped. Whenever a passkey is to be made or used it
asks the agent in your session (localpasskey agent).

It makes a security key that browsers, ssh and other programs find like one on USB. That
needs write access to /dev/uhid, which usually root alone has; without it everything else
works, and localpasskey status says what is missing.

With --system it serves every user of this machine, each with passkeys and a security
key of his own, and is started by systemd as a user of its own (localpasskey.service). No
user's program can then reach the TPM. While a user's screen is locked or another's is in
front, and before the machine sleeps, his security key is withdrawn: logind tells. Some
desktops do not tell logind of their lock screen. There it is withdrawn when the desktop
has called the user idle for the time that --idle names, until it does no more.

With --user it runs as you, in this terminal, where it also asks while no agent runs.
That needs access to the TPM (on most systems: the group tss). Know what that means:
any program of yours can then open the TPM as well. It cannot take your passkeys out or
use them without the PIN, but it could destroy them all. Use it to try LocalPasskey out,
or where you trust every program you run.`,
		Args: cobra.NoArgs,
		RunE: p.Does(func(ctx context.Context, _ []string) error {
			switch {
			case o.Idle < 0:
				return usageError("a time is not negative: --idle "+o.Idle.String(), "0 is for no limit")
			case user == o.System:
				return usageError("for whom is it to run?", "`localpasskey daemon --user` runs it as you; the system's service manager runs `localpasskey daemon --system`")
			case o.System:
				o.Store, o.Socket = state, cmp.Or(p.Sockets.Named, p.Sockets.System)
			default:
				o.Store, o.Socket = store, cmp.Or(p.Sockets.Named, p.Sockets.Own)
			}
			return p.daemon(ctx, o)
		}),
	}
	c.Flags().BoolVar(&user, "user", false, "run as the user who starts it")
	c.Flags().BoolVar(&o.System, "system", false, "run for all users, by a service manager")
	c.Flags().StringVar(&o.TPM, "tpm", defaultTPM, "the TPM's `device`")
	c.Flags().StringVar(&o.UHID, "uhid", defaultUHID, "the kernel's `device` by which the security key is made; \"\" to offer none")
	c.Flags().StringVar(&store, "store", p.Store, "with --user: the store's `file`")
	c.Flags().StringVar(&state, "state", p.State, "with --system: the `directory` of all users' stores")
	c.Flags().DurationVar(&o.Idle, "idle", defaultIdle, "with --system: how `long` an idle user keeps the security key, where the desktop does not tell of its lock screen; 0: for ever")
	c.Flags().BoolVar(&o.Logind, "logind", true, "with --system: ask logind who is at the machine; false: everybody always is")
	return c
}

func (p Program) daemon(ctx context.Context, o DaemonOptions) error {
	switch {
	case o.Socket == "":
		return noPlace("name one: --socket PATH")
	case o.Store == "":
		return usageError("the system names no place for data (HOME is not set)", "name one: --store FILE")
	}
	if !o.System {
		p.note("Running as you: any program of yours can open the TPM as well. It cannot take your\n" +
			"passkeys or use them without the PIN, but it could destroy them all.")
	}
	o.Listening = func() { p.note("Listening on %s. Ctrl-C ends it.", o.Socket) }
	err := p.Daemon(ctx, o)
	if problem, ok := errors.AsType[*ctap.Problem](err); ok && problem.Cause != nil {
		p.note("cause: %s", prompt.Legible(problem.Cause.Error(), maxText)) // there is no other log of it
	}
	return err
}

// usageError is a wrong command line that cobra could not see.
func usageError(what, hint string) error {
	return &exit.Error{What: what, Hint: hint, Code: exit.Usage}
}
