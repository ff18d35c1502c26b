package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// defaultTPM is the TPM's resource manager: programs share it.
const defaultTPM = "/dev/tpmrm0"

// defaultUHID is where Linux lets programs make HID devices.
const defaultUHID = "/dev/uhid"

func (r *run) daemonCommand() *cobra.Command {
	o := DaemonOptions{}
	var user bool
	c := &cobra.Command{
		Use:   "daemon",
		Short: "Run the authenticator that all other commands talk to",
		Long: `Runs the authenticator in this terminal until Ctrl-C. Whenever a passkey is to be made or
used it asks you: through the agent if one runs (localpasskey agent), or else here.

It makes a security key that browsers, ssh and other programs find like one on USB. That
needs write access to /dev/uhid, which usually root alone has; without it everything else
works, and localpasskey status says what is missing.

With --user it runs as you, which needs access to the TPM (on most systems: the group
tss). Know what that means: any program of yours can then open the TPM as well. It
cannot take your passkeys out or use them without the PIN, but it could destroy them
all. Use it to try LocalPasskey out, or where you trust every program you run.`,
		Args: cobra.NoArgs,
		RunE: r.does(func(ctx context.Context, _ []string) error {
			if !user {
				return usageError("the system service is not available yet", "`localpasskey daemon --user` runs the daemon as you; see `localpasskey daemon --help`")
			}
			o.Socket = r.socket
			return r.daemon(ctx, o)
		}),
	}
	c.Flags().BoolVar(&user, "user", false, "run as the user who starts it")
	c.Flags().StringVar(&o.TPM, "tpm", defaultTPM, "the TPM's `device`")
	c.Flags().StringVar(&o.UHID, "uhid", defaultUHID, "the kernel's `device` by which the security key is made; \"\" to offer none")
	c.Flags().StringVar(&o.Store, "store", r.Store, "the store's `file`")
	return c
}

func (r *run) daemon(ctx context.Context, o DaemonOptions) error {
	switch {
	case o.Socket == "":
		return usageError("the system names no place for sockets (XDG_RUNTIME_DIR is not set)", "name one: --socket PATH")
	case o.Store == "":
		return usageError("the system names no place for data (HOME is not set)", "name one: --store FILE")
	}
	r.note("Running as you: any program of yours can open the TPM as well. It cannot take your\n" +
		"passkeys or use them without the PIN, but it could destroy them all.")
	o.Listening = func() { r.note("Listening on %s. Ctrl-C ends it.", o.Socket) }
	err := r.Daemon(ctx, o)
	if problem, ok := errors.AsType[*ctap.Problem](err); ok && problem.Cause != nil {
		r.note("cause: %s", prompt.Legible(problem.Cause.Error(), maxText)) // there is no other log of it
	}
	return err
}
