package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/doctor"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

const setupLong = `Looks whether the TPM can do what is needed, makes the keys in it that everything else
hangs on, and sets the PIN.

The PIN may have letters as well as digits, and should: the TPM allows 8 wrong ones
in all, so nobody can try them through, but 1234 is the first that anybody tries.

There is no backup. If this machine dies or its TPM is cleared, or the PIN is forgotten,
its passkeys are lost: register a second one, on another device, at every service you
care about. localpasskey inventory compare tells later which accounts lack one.

The daemon must be running: the system's service, or localpasskey daemon --user.
localpasskey doctor looks for what stands in the way.`

const setupWarning = `There is no backup: if this machine dies, its TPM is cleared or the PIN is forgotten, the
passkeys on it are lost. Register a second one, on another device, at each service.
`

func (r *run) setupCommand() *cobra.Command {
	pins := pinSource{run: r}
	c := &cobra.Command{
		Use:   "setup",
		Short: "Make this machine's keys and set the PIN",
		Long:  setupLong,
		Args:  cobra.NoArgs,
		RunE: r.does(func(ctx context.Context, _ []string) error {
			return r.connected(ctx, func(s *session) error { return r.setUp(ctx, s, &pins) })
		}),
	}
	pins.flag(c, "the PIN (one line)")
	return c
}

// setUp asks first and acts then: who cancels at the PIN has changed nothing. A
// set-up that had come as far as the keys goes on with the PIN.
func (r *run) setUp(ctx context.Context, s *session, pins *pinSource) error {
	switch {
	case s.status.Problem != nil:
		return s.status.Problem
	case s.status.PINSet:
		return &failure{
			what: "LocalPasskey is set up already",
			hint: "`localpasskey pin change` changes the PIN, `localpasskey reset` begins anew without the passkeys",
			code: codeFailed,
		}
	}
	if !s.status.SetUp {
		if err := doctor.BeforeSetUp(ctx, r.Err, s.Client); err != nil {
			return err
		}
	}
	if !pins.stdin {
		r.note(setupWarning)
		r.note("Choose a PIN. It may have letters as well as digits. The TPM allows 8 wrong ones in all.")
	}
	pin, err := pins.choose(ctx, minPINPoints)
	defer pin.Wipe()
	if err != nil {
		return err
	}
	if !s.status.SetUp {
		r.note("Making keys in the TPM…")
		if _, err := s.Vendor(ctx, ctap.CommandSetup, nil); err != nil {
			return err
		}
	}
	if err := s.platform().SetPIN(ctx, pin); err != nil {
		return err
	}
	r.say("LocalPasskey is set up.\n\n" +
		"If this machine dies, its passkeys die: register a second one elsewhere,\n" +
		"at every service you care about. Nobody can restore them, we included.\n" +
		"`localpasskey doctor` looks whether browsers and ssh find the security key.")
	return nil
}
