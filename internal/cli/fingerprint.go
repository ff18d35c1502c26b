package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/finger"
	"github.com/localpasskey/localpasskey/internal/demand"
)

// fingerprintCommand changes whether, and for how long, a finger stands for the PIN.
func (r *run) fingerprintCommand() *cobra.Command {
	pins := pinSource{run: r}
	c := &cobra.Command{
		Use: "fingerprint on|off|TIME", Short: "Let a finger stand for the PIN, for a time after it was typed",
		Long: demand.FingerprintHelp, Args: cobra.ExactArgs(1),
		RunE: r.does(func(ctx context.Context, args []string) error {
			return r.within(ctx, func(s *session) error {
				state := finger.Ask(ctx, s.Client)
				seconds, done, err := demand.Fingerprint(args[0], state)
				if err != nil || seconds == state.Seconds {
					return r.saying(done, refusal(err))
				}
				token, err := pins.token(ctx, s, ctap.PermissionConfiguration, "")
				if err != nil {
					return err
				}
				defer token.Wipe()
				return r.saying(done, finger.Set(ctx, s.Client, token, seconds))
			})
		}),
	}
	pins.flag(c, "the PIN (one line)")
	return c
}
