// Package command joins groups of commands, which are rooms of their own, to the
// program around them. It refuses to know what they do.
package command

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/words"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Program is what a group needs of the program around it.
type Program struct {
	Out, Err io.Writer
	// Words are those of this machine.
	Words words.Words
	// Within connects to a daemon that works, and acts.
	Within func(ctx context.Context, act func(c *ctap.Client) error) error
	// Does makes a command's action: from there on, errors are not of usage.
	Does func(act func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error
}
