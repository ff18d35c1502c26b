package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/view"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/notice"
)

func (r *run) statusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "See whether everything works, and what stands in the way",
		Args:  cobra.NoArgs,
		RunE: r.does(func(ctx context.Context, _ []string) error {
			return r.connected(ctx, func(s *session) error { return r.showStatus(s.status, s.gone(ctx), asJSON) })
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return c
}

// showStatus shows the state, and what passkeys are gone, if gone is not nil; a problem is this
// command's failure as well.
func (r *run) showStatus(status *ctap.StatusResponse, gone *notice.Notice, asJSON bool) error {
	var err error
	if asJSON {
		err = view.StatusJSON(r.Out, status, gone)
	} else {
		err = view.Status(r.Out, status)
	}
	if err == nil && gone != nil && !asJSON {
		err = view.Gone(r.Out, gone)
	}
	if err == nil && status.Problem != nil {
		return status.Problem
	}
	return err
}
