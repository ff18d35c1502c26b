// Package choose finds the passkeys that a person means on the command line: those of a
// service, or the one whose ID begins so. It refuses to know what is done with them.
package choose

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/localpasskey/localpasskey/internal/cli/exit"
	"github.com/localpasskey/localpasskey/internal/cli/view"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// Argument is how usages call what Some and One read.
const Argument = "SERVICE|ID"

// Some finds the passkeys that name means: those of the service called so, or the ones
// whose IDs begin so. That there is none is ctap.NoCredentials.
func Some(ctx context.Context, a ctap.Authenticator, name string) ([]ctap.Passkey, error) {
	all, err := ctap.ReadPasskeys(ctx, a)
	if err != nil {
		return nil, err
	}
	found := slices.Clone(all)
	found = slices.DeleteFunc(found, func(p ctap.Passkey) bool { return p.RPID != name })
	if prefix := strings.ToLower(name); len(found) == 0 && regexp.MustCompile("^[0-9a-f]{4,}$").MatchString(prefix) {
		found = slices.DeleteFunc(all, func(p ctap.Passkey) bool { return !strings.HasPrefix(view.ID(p), prefix) })
	}
	if len(found) == 0 {
		return nil, ctap.NoCredentials
	}
	return found, nil
}

// One is Some where only one passkey can be meant.
func One(ctx context.Context, a ctap.Authenticator, name string) (ctap.Passkey, error) {
	found, err := Some(ctx, a, name)
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
	return ctap.Passkey{}, &exit.Error{
		What: fmt.Sprintf("%d passkeys are meant", len(found)),
		Hint: "name one by its ID: " + strings.Join(choices, ", "), Code: exit.Usage,
	}
}
