package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/choose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

func (r *run) renameCommand() *cobra.Command {
	pins := pinSource{run: r}
	var display string
	c := &cobra.Command{
		Use:   "rename " + choose.Argument + " NAME",
		Short: "Change the user name that a passkey is shown with",
		Long: `Changes the user name under which this machine shows a passkey. The service is not
told: signing in goes by the key.`,
		Args: cobra.ExactArgs(2),
	}
	c.Flags().StringVar(&display, "display-name", "", "change the display `name` too")
	pins.flag(c, "the PIN (one line)")
	c.RunE = r.does(func(ctx context.Context, args []string) error {
		return r.within(ctx, func(s *session) error {
			p, err := choose.One(ctx, s.Client, args[0])
			if err != nil {
				return err
			}
			p.User.Name = args[1]
			if c.Flags().Changed("display-name") {
				p.User.DisplayName = display
			}
			if err := r.rename(ctx, s, &pins, p); err != nil {
				return err
			}
			r.say("%s is now shown as %s.", prompt.Service(p.RPID), prompt.Account(p.User))
			return nil
		})
	})
	return c
}

// rename gives the passkey the names it has in p.
func (r *run) rename(ctx context.Context, s *session, pins *pinSource, p ctap.Passkey) error {
	for _, name := range []string{p.User.Name, p.User.DisplayName} {
		if len(name) > ctap.MaxNameBytes {
			return usageError(fmt.Sprintf("the name has %d bytes, more than %d", len(name), ctap.MaxNameBytes), "choose a shorter one")
		}
	}
	token, err := pins.token(ctx, s, ctap.PermissionCredentialManagement, p.RPID)
	if err != nil {
		return err
	}
	defer token.Wipe()
	_, err = ctap.ManageCredentials(ctx, s.Client, token, ctap.UpdateUserInformation, &ctap.CredentialManagementParams{
		Credential: &ctap.Descriptor{ID: p.CredentialID, Type: ctap.PublicKeyType}, User: &p.User,
	})
	return err
}

func (r *run) deleteCommand() *cobra.Command {
	pins := pinSource{run: r}
	var yes bool
	c := &cobra.Command{
		Use:     "delete " + choose.Argument,
		Aliases: []string{"rm"},
		Short:   "Delete a passkey for ever",
		Long: `Deletes a passkey. It cannot be brought back, and the service is not told: it will go
on offering a passkey that no longer exists until you remove it there too.

Make sure first that you can sign in some other way.`,
		Args: cobra.ExactArgs(1),
		RunE: r.does(func(ctx context.Context, args []string) error {
			return r.within(ctx, func(s *session) error {
				p, err := choose.One(ctx, s.Client, args[0])
				if err != nil {
					return err
				}
				if err := r.confirmDelete(ctx, p, yes); err != nil {
					return err
				}
				if err := r.delete(ctx, s, &pins, p); err != nil {
					return err
				}
				r.say("The passkey of %s for %s is deleted.", prompt.Account(p.User), prompt.Service(p.RPID))
				return nil
			})
		}),
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not have the service's name typed, for scripts")
	pins.flag(c, "the PIN (one line)")
	return c
}

// confirmDelete has the service's name typed exactly.
func (r *run) confirmDelete(ctx context.Context, p ctap.Passkey, yes bool) error {
	if yes {
		return nil
	}
	r.note("This deletes the passkey of %s for %s, for ever.", prompt.Account(p.User), prompt.Service(p.RPID))
	r.note("The service is not told. Make sure that you can sign in some other way.")
	if p.HMACSecret {
		r.note("Data may be locked with it (hmac-secret), and would be lost.")
	}
	return onTerminal(func(t *prompt.Terminal) error {
		name := prompt.Service(p.RPID)
		answer, err := t.Line(ctx, fmt.Sprintf("Type %s to delete it; anything else cancels: ", name))
		if err == nil && answer != name {
			err = errRefused
		}
		return err
	})
}

func (r *run) delete(ctx context.Context, s *session, pins *pinSource, p ctap.Passkey) error {
	token, err := pins.token(ctx, s, ctap.PermissionCredentialManagement, p.RPID)
	if err != nil {
		return err
	}
	defer token.Wipe()
	_, err = ctap.ManageCredentials(ctx, s.Client, token, ctap.DeleteCredential, &ctap.CredentialManagementParams{
		Credential: &ctap.Descriptor{ID: p.CredentialID, Type: ctap.PublicKeyType},
	})
	return err
}

func (r *run) reconnectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reconnect",
		Short: "Do what pulling and reinserting a security key does",
		Long: `Cancels what is being asked and forgets everything but the passkeys. After three wrong
PINs in a row, and wherever a program says "reinsert your security key", this is it.
The tries that are left do not change.`,
		Args: cobra.NoArgs,
		RunE: r.does(func(ctx context.Context, _ []string) error {
			return r.within(ctx, func(s *session) error {
				if _, err := s.Vendor(ctx, ctap.CommandReconnect, nil); err != nil {
					return err
				}
				r.say("Reconnected.")
				return nil
			})
		}),
	}
}

func (r *run) resetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reset",
		Short: r.words.Reset,
		Long:  r.words.ResetLong,
		Args:  cobra.NoArgs,
		RunE: r.does(func(ctx context.Context, _ []string) error {
			return r.within(ctx, func(s *session) error { return r.reset(ctx, s) })
		}),
	}
}

func (r *run) reset(ctx context.Context, s *session) error {
	lost, err := s.passkeys(ctx)
	if err != nil {
		return err
	}
	if err := sorted(lost, byService); err != nil {
		return err
	}
	if len(lost) == 0 {
		r.note("There are no passkeys to lose.")
	} else {
		r.note("These passkeys are lost for ever (%d):", len(lost))
	}
	for _, p := range lost {
		r.note("  %s: %s", prompt.Service(p.RPID), prompt.Account(p.User))
	}
	if err := s.Reset(ctx); err != nil {
		return err
	}
	r.say("%s", r.words.ResetDone)
	return nil
}
