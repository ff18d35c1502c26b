package inventory

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/command"
	"github.com/localpasskey/localpasskey/internal/cli/exit"
	"github.com/localpasskey/localpasskey/internal/cli/view"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/inventory"
)

// thisDevice stands for this machine among the names of files.
const thisDevice = "-"

// program is what the commands need of the program around them.
type program struct{ command.Program }

// Command is `inventory`.
func Command(around command.Program) *cobra.Command {
	p := program{around}
	c := &cobra.Command{
		Use:   "inventory",
		Short: "See what you lose if this machine dies",
		Long: `Lists which accounts have a passkey here, and compares devices: an account that has
one on one device only is lost with that device.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(p.export(), p.compare())
	return c
}

func (p program) export() *cobra.Command {
	var device string
	c := &cobra.Command{
		Use:   "export",
		Short: "Write which accounts have a passkey here, without any secret",
		Long: `Writes services, user names and dates as JSON, for ` + "`localpasskey inventory compare`" + ` on
another machine. Nobody can sign in with it, and no passkey can be restored from it; it
does tell which services you use.`,
		Args: cobra.NoArgs,
		RunE: p.Does(func(ctx context.Context, _ []string) error {
			list, err := p.here(ctx, device)
			if err != nil {
				return err
			}
			return view.JSON(p.Out, list)
		}),
	}
	c.Flags().StringVar(&device, "device", "", "what to call this machine (default: its host `name`)")
	return c
}

func (p program) compare() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "compare FILE [FILE]",
		Short: "Tell which accounts have a passkey on one device only",
		Long: `Compares what two devices have, by the files that ` + "`localpasskey inventory export`" + ` wrote.
"-" is this machine as it is now, and so is a second file that is not named.

Accounts are matched by what the service calls them, so a changed name does no harm.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: p.Does(func(ctx context.Context, args []string) error {
			if len(args) == 1 {
				args = []string{thisDevice, args[0]}
			}
			a, err := p.load(ctx, args[0])
			if err != nil {
				return err
			}
			b, err := p.load(ctx, args[1])
			if err != nil {
				return err
			}
			if a.Device == b.Device {
				fmt.Fprintln(p.Err, "Both lists say that they are of the same device.")
				a.Device, b.Device = a.Device+" ("+args[0]+")", b.Device+" ("+args[1]+")"
			}
			if asJSON {
				return view.JSON(p.Out, inventory.Compare(a, b))
			}
			return table(p.Out, inventory.Compare(a, b))
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return c
}

// load reads a list, or makes this machine's.
func (p program) load(ctx context.Context, name string) (*inventory.List, error) {
	if name == thisDevice {
		return p.here(ctx, "")
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, &exit.Error{What: err.Error(), Code: exit.Failed}
	}
	defer file.Close() //nolint:errcheck // It was only read.
	list, err := inventory.Decode(file)
	if err != nil {
		return nil, &exit.Error{
			What: fmt.Sprintf("%s cannot be read: %v", name, err),
			Hint: "`localpasskey inventory export` writes such files", Code: exit.Failed,
		}
	}
	return list, nil
}

// here is what this machine has now.
func (p program) here(ctx context.Context, device string) (*inventory.List, error) {
	if device == "" {
		var err error
		if device, err = os.Hostname(); err != nil {
			return nil, err
		}
	}
	var list *inventory.List
	err := p.Within(ctx, func(c *ctap.Client) error {
		all, err := ctap.ReadPasskeys(ctx, c)
		list = inventory.Of(device, all, time.Now())
		return err
	})
	return list, err
}
