package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/view"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

func (r *run) statusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "See whether everything works, and what stands in the way",
		Args:  cobra.NoArgs,
		RunE: r.does(func(ctx context.Context, _ []string) error {
			return r.connected(ctx, func(s *session) error { return r.showStatus(s.status, asJSON) })
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return c
}

// showStatus shows the state; a problem is this command's failure as well.
func (r *run) showStatus(status *ctap.StatusResponse, asJSON bool) error {
	var err error
	if asJSON {
		err = view.StatusJSON(r.Out, status)
	} else {
		err = view.Status(r.Out, status)
	}
	if err == nil && status.Problem != nil {
		return status.Problem
	}
	return err
}
