package cli

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/view"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// passkeyArgument is how commands are told which passkey; pick reads it.
const passkeyArgument = "SERVICE|ID"

func (r *run) showCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show " + passkeyArgument,
		Short: "Show all that is known of a passkey",
		Long:  "Shows the passkeys of a service (example.com), or the one whose ID begins so (see `localpasskey list`).",
		Args:  cobra.ExactArgs(1),
		RunE: r.does(func(ctx context.Context, args []string) error {
			return r.within(ctx, func(s *session) error {
				found, err := s.pick(ctx, args[0])
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
					if err := view.Passkey(r.Out, p); err != nil {
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

// pick finds the passkeys that name means: those of the service called so, or the
// ones whose IDs begin so.
func (s *session) pick(ctx context.Context, name string) ([]ctap.Passkey, error) {
	all, err := s.passkeys(ctx)
	if err != nil {
		return nil, err
	}
	keep := func(want func(p ctap.Passkey) bool) (kept []ctap.Passkey) {
		for _, p := range all {
			if want(p) {
				kept = append(kept, p)
			}
		}
		return kept
	}
	found := keep(func(p ctap.Passkey) bool { return p.RPID == name })
	if prefix := strings.ToLower(name); len(found) == 0 && regexp.MustCompile("^[0-9a-f]{4,}$").MatchString(prefix) {
		found = keep(func(p ctap.Passkey) bool { return strings.HasPrefix(view.ID(p), prefix) })
	}
	if len(found) == 0 {
		return nil, noSuchPasskey()
	}
	return found, nil
}

// pickOne is pick where only one passkey can be meant.
func (s *session) pickOne(ctx context.Context, name string) (ctap.Passkey, error) {
	found, err := s.pick(ctx, name)
	if err != nil {
		return ctap.Passkey{}, err
	}
	if len(found) == 1 {
		return found[0], nil
	}
	choices := view.ShortIDs(found)
	for i, p := range found {
		choices[i] += " " + prompt.Account(p.User)
	}
	return ctap.Passkey{}, usageError(fmt.Sprintf("%d passkeys are meant", len(found)), "name one by its ID: "+strings.Join(choices, ", "))
}
