package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/view"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
)

func (r *run) pinCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "pin",
		Short: "Set or change the PIN, or see how many tries are left",
		Long: `The PIN is known to you and to the TPM alone. The TPM counts wrong ones: after 3 in
a row ` + "`localpasskey reconnect`" + ` is needed, after 8 in all the passkeys are gone.

A right PIN gives all tries back. ` + pinRules + ".",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(r.pinSetCommand(), r.pinChangeCommand(), r.pinRetriesCommand())
	return c
}

func (r *run) pinSetCommand() *cobra.Command {
	pins := pinSource{run: r}
	c := &cobra.Command{
		Use:   "set",
		Short: "Set the first PIN",
		Args:  cobra.NoArgs,
		RunE: r.does(func(ctx context.Context, _ []string) error {
			return r.within(ctx, func(s *session) error {
				if s.status.PINSet {
					return &failure{what: "a PIN is set already", hint: "`localpasskey pin change` replaces it", code: codeFailed}
				}
				if err := pins.set(ctx, s); err != nil {
					return err
				}
				r.say("The PIN is set.")
				return nil
			})
		}),
	}
	pins.flag(c, "the PIN (one line)")
	return c
}

// set has the person choose the first PIN and sets it.
func (p *pinSource) set(ctx context.Context, s *session) error {
	info, err := s.GetInfo(ctx)
	if err != nil {
		return err
	}
	pin, err := p.choose(ctx, info.MinPINLength)
	defer pin.Wipe()
	if err != nil {
		return err
	}
	return s.platform().SetPIN(ctx, pin)
}

func (r *run) pinChangeCommand() *cobra.Command {
	pins := pinSource{run: r}
	c := &cobra.Command{
		Use:   "change",
		Short: "Change the PIN by knowing it",
		Args:  cobra.NoArgs,
		RunE: r.does(func(ctx context.Context, _ []string) error {
			return r.within(ctx, func(s *session) error { return pins.change(ctx, s) })
		}),
	}
	pins.flag(c, "the PIN in use and the new one (two lines)")
	return c
}

func (p *pinSource) change(ctx context.Context, s *session) error {
	if !s.status.PINSet {
		return ctap.PINNotSet
	}
	info, err := s.GetInfo(ctx)
	if err != nil {
		return err
	}
	var from, to secret.Bytes
	defer func() { from.Wipe(); to.Wipe() }()
	if from, err = p.get(ctx, "PIN in use: "); err != nil {
		return err
	}
	if to, err = p.choose(ctx, info.MinPINLength); err != nil {
		return err
	}
	if err := s.platform().ChangePIN(ctx, from, to); err != nil {
		return p.countTries(ctx, s, err)
	}
	p.run.say("The PIN is changed. The old one does not work any more.")
	return nil
}

func (r *run) pinRetriesCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "retries",
		Short: "See how many wrong PINs the TPM still allows",
		Args:  cobra.NoArgs,
		RunE: r.does(func(ctx context.Context, _ []string) error {
			return r.within(ctx, func(s *session) error {
				left, reconnect, err := s.retries(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return view.JSON(r.Out, retriesJSON{PINSet: s.status.PINSet, Retries: left, Reconnect: reconnect})
				}
				r.say("%d", left)
				if reconnect {
					r.note("Three wrong PINs in a row: `localpasskey reconnect` lets you try again.")
				}
				return nil
			})
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return c
}

// retriesJSON is `pin retries --json`.
type retriesJSON struct {
	PINSet    bool `json:"pin_set"`
	Retries   uint `json:"retries"`
	Reconnect bool `json:"reconnect_needed"`
}
