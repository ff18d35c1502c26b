package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/choose"
	"github.com/localpasskey/localpasskey/internal/cli/view"
)

func (r *run) showCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show " + choose.Argument,
		Short: "Show all that is known of a passkey",
		Long:  "Shows the passkeys of a service (example.com), or the one whose ID begins so (see `localpasskey list`).",
		Args:  cobra.ExactArgs(1),
		RunE: r.does(func(ctx context.Context, args []string) error {
			return r.within(ctx, func(s *session) error {
				found, err := choose.Some(ctx, s.Client, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return view.PasskeysJSON(r.Out, found)
				}
				for i, p := range found {
					if i > 0 {
						r.say("")
					}
					if err := view.Passkey(r.Out, p, r.words); err != nil {
						return err
					}
				}
				return nil
			})
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return c
}
