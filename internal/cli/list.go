package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/view"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// order names an order of the list.
type order string

// Ours: the orders. Names go up, dates go down: the newest is what one looks for.
const (
	byService order = "service"
	byUser    order = "user"
	byCreated order = "created"
	byUsed    order = "used"
)

func (r *run) listCommand() *cobra.Command {
	var asJSON, hidden bool
	var filter, by string
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the passkeys",
		Long: r.words.List + `

KIND is "passkey" for one that a service finds by itself, and "security key" for one
that works only together with the user name or a password.

` + r.words.ListGone + `Passkeys that their service does not know any more, or that you have hidden, are listed
with --hidden only.`,
		Args: cobra.NoArgs,
		RunE: r.does(func(ctx context.Context, _ []string) error {
			return r.connected(ctx, func(s *session) error {
				if err := r.works(ctx, s, !asJSON); err != nil {
					return err
				}
				found, err := s.passkeys(ctx)
				if err != nil {
					return err
				}
				all := len(found)
				found = slices.DeleteFunc(found, func(p ctap.Passkey) bool { return p.Hidden != hidden })
				r.noteHidden(all-len(found), hidden)
				found = filtered(found, filter)
				if err := sorted(found, order(by)); err != nil {
					return err
				}
				if asJSON {
					return view.PasskeysJSON(r.Out, found)
				}
				return r.tabulate(found, all, filter)
			})
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	c.Flags().BoolVar(&hidden, "hidden", false, "list the hidden ones instead")
	c.Flags().StringVarP(&filter, "filter", "f", "", "only those with this `text` in service or user name")
	c.Flags().StringVarP(&by, "sort", "s", string(byService), "order: service, user, created or used")
	return c
}

// works is what within makes sure of. Where that fails, passkeys that are gone from the TPM are
// shown first, if show says so.
func (r *run) works(ctx context.Context, s *session, show bool) error {
	switch {
	case s.status.Problem == nil && s.status.SetUp:
		return nil
	case s.status.Problem == nil:
		return notSetUp()
	}
	if gone := s.gone(ctx); gone != nil && show {
		if err := view.Gone(r.Out, gone); err != nil {
			return err
		}
	}
	return s.status.Problem
}

// passkeys fetches the whole list.
func (s *session) passkeys(ctx context.Context) ([]ctap.Passkey, error) {
	return ctap.ReadPasskeys(ctx, s.Client)
}

// filtered keeps what has text in service or user name, whatever the case.
func filtered(all []ctap.Passkey, text string) []ctap.Passkey {
	text = strings.ToLower(text)
	return slices.DeleteFunc(all, func(p ctap.Passkey) bool {
		return !strings.Contains(strings.ToLower(p.RPID), text) && !strings.Contains(strings.ToLower(p.User.Name), text)
	})
}

// sorted sorts in place; what is equal stays in the order of registration.
func sorted(all []ctap.Passkey, by order) error {
	var compare func(a, b ctap.Passkey) int
	service := func(a, b ctap.Passkey) int { return cmp.Compare(a.RPID, b.RPID) }
	user := func(a, b ctap.Passkey) int {
		return cmp.Compare(strings.ToLower(a.User.Name), strings.ToLower(b.User.Name))
	}
	switch by {
	case byService:
		compare = func(a, b ctap.Passkey) int { return cmp.Or(service(a, b), user(a, b)) }
	case byUser:
		compare = func(a, b ctap.Passkey) int { return cmp.Or(user(a, b), service(a, b)) }
	case byCreated:
		compare = func(a, b ctap.Passkey) int { return cmp.Compare(b.Created, a.Created) }
	case byUsed:
		compare = func(a, b ctap.Passkey) int { return cmp.Compare(b.LastUsed, a.LastUsed) }
	default:
		return usageError(fmt.Sprintf("there is no order %q", by), "--sort takes service, user, created or used")
	}
	slices.SortStableFunc(all, compare)
	return nil
}

// noteHidden tells of passkeys that the list does not show.
func (r *run) noteHidden(count int, hidden bool) {
	if count > 0 && !hidden {
		r.note("Hidden: %d. `localpasskey list --hidden` shows them.", count)
	}
}

// tabulate shows what was found among all.
func (r *run) tabulate(found []ctap.Passkey, all int, filter string) error {
	switch {
	case all == 0:
		r.note("No passkeys. Registered passkeys will appear here.")
		return nil
	case len(found) == 0 && filter == "":
		r.note("No passkey is to be shown.")
		return nil
	case len(found) == 0:
		r.note("No passkey matches %q.", prompt.Legible(filter, maxText))
		return nil
	}
	return view.Table(r.Out, found)
}
