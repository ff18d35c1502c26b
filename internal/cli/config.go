package cli

import (
	"cmp"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/view"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/finger"
	"github.com/localpasskey/localpasskey/internal/demand"
)

func (r *run) configCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "config",
		Short: r.words.Config,
		Long:  r.words.ConfigLong,
		Args:  cobra.NoArgs,
		RunE: r.does(func(ctx context.Context, _ []string) error {
			return r.within(ctx, func(s *session) error {
				info, err := s.GetInfo(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return view.ConfigJSON(r.Out, info, finger.Ask(ctx, s.Client))
				}
				return view.Config(r.Out, info, finger.Ask(ctx, s.Client), r.words)
			})
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	c.AddCommand(r.changeConfig("always-uv on|off", r.words.AlwaysUV, r.words.AlwaysUVLong, r.alwaysUV))
	if r.words.PINs {
		c.AddCommand(r.changeConfig("min-pin-length N", "Raise the least length of a PIN", demand.MinPINLengthHelp, demand.MinPINLength), r.fingerprintCommand())
	}
	return c
}

// alwaysUV is demand.AlwaysUV in this machine's words.
func (r *run) alwaysUV(argument string, info *ctap.GetInfoResponse) (demand.Change, error) {
	change, err := demand.AlwaysUV(argument, info)
	if err == nil && change.Subcommand != 0 {
		done := map[string]string{"on": r.words.TurnedOn, "off": r.words.TurnedOff}
		change.Done = cmp.Or(done[argument], change.Done)
	}
	return change, err
}

// changeConfig makes a sub-command that changes one setting to its one argument.
func (r *run) changeConfig(use, short, long string, parse func(argument string, info *ctap.GetInfoResponse) (demand.Change, error)) *cobra.Command {
	pins := pinSource{run: r}
	c := &cobra.Command{
		Use: use, Short: short, Long: long, Args: cobra.ExactArgs(1),
		RunE: r.does(func(ctx context.Context, args []string) error {
			return r.within(ctx, func(s *session) error {
				info, err := s.GetInfo(ctx)
				if err != nil {
					return err
				}
				change, err := parse(args[0], info)
				if err != nil || change.Subcommand == 0 {
					return r.saying(change.Done, refusal(err))
				}
				token, err := pins.token(ctx, s, ctap.PermissionConfiguration, "")
				if err != nil {
					return err
				}
				defer token.Wipe()
				return r.saying(change.Done, ctap.Configure(ctx, s.Client, token, change.Subcommand, change.Params))
			})
		}),
	}
	pins.flag(c, "the PIN (one line)")
	return c
}

// saying tells what was done, unless it was not.
func (r *run) saying(done string, err error) error {
	if err == nil {
		r.say("%s", done)
	}
	return err
}

// refusal is what is wrong with the argument.
func refusal(err error) error {
	if no, ok := errors.AsType[*demand.Refusal](err); ok {
		code := codeFailed
		if no.Usage {
			code = codeUsage
		}
		return &failure{what: no.What, hint: no.Hint, code: code}
	}
	return err
}
