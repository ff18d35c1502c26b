// Package hide is the commands that hide a passkey and bring it back. It refuses to know
// who has hidden one.
package hide

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/choose"
	"github.com/localpasskey/localpasskey/internal/cli/command"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// Commands are `hide` and `unhide`.
func Commands(around command.Program) []*cobra.Command {
	return []*cobra.Command{
		hiding(around, true, &cobra.Command{
			Use:   "hide " + choose.Argument,
			Short: "Do not offer a passkey any more, without deleting it",
			Long: `Hides a passkey: it is not offered where a service asks for whichever you have, and is
not in the list. Nothing is deleted, and ` + "`localpasskey unhide`" + ` brings it back. Services hide
passkeys that they do not know any more by themselves, where your browser tells us.`,
		}),
		hiding(around, false, &cobra.Command{
			Use:   "unhide " + choose.Argument,
			Short: "Bring a hidden passkey back",
			Long:  "Brings back a passkey that you or its service has hidden: see `localpasskey list --hidden`.",
		}),
	}
}

func hiding(around command.Program, hidden bool, c *cobra.Command) *cobra.Command {
	c.Args = cobra.ExactArgs(1)
	c.RunE = around.Does(func(ctx context.Context, args []string) error {
		return around.Within(ctx, func(client *ctap.Client) error {
			p, err := choose.One(ctx, client, args[0])
			if err != nil {
				return err
			}
			if _, err := ctap.Call[struct{}](ctx, client, ctap.CommandHide, ctap.HideRequest{CredentialID: p.CredentialID, Hidden: hidden}); err != nil {
				return err
			}
			done := "offered again"
			if hidden {
				done = "hidden"
			}
			_, err = fmt.Fprintf(around.Out, "The passkey of %s for %s is %s.\n", prompt.Account(p.User), prompt.Service(p.RPID), done)
			return err
		})
	})
	return c
}
