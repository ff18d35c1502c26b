package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/webauthn"
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
					return r.writeJSON(newListJSON(found))
				}
				for i, p := range found {
					if i > 0 {
						r.say("")
					}
					if err := r.showPasskey(p); err != nil {
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
		found = keep(func(p ctap.Passkey) bool { return strings.HasPrefix(id(p), prefix) })
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
	digits := idDigits(found)
	choices := make([]string, 0, len(found))
	for _, p := range found {
		choices = append(choices, id(p)[:min(digits, len(id(p)))]+" "+prompt.Account(p.User))
	}
	return ctap.Passkey{}, usageError(fmt.Sprintf("%d passkeys are meant", len(found)), "name one by its ID: "+strings.Join(choices, ", "))
}

func (r *run) showPasskey(p ctap.Passkey) error {
	w := tabwriter.NewWriter(r.Out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("service", "%s", prompt.Service(p.RPID))
	if name := prompt.Legible(p.RPName, maxText); name != "" {
		row("calls itself", "%s", name)
	}
	row("account", "%s", prompt.Account(p.User))
	row("ID", "%s", id(p))
	row("created", "%s", moment(p.Created))
	row("last used", "%s", lastUsed(p))
	row("kind", "%s", kindInWords(p))
	row("PIN", "%s", bindingInWords(p))
	row("key", "%s in this machine's TPM; sign count %d", algorithm(p), p.SignCount)
	row("encrypts", "%s", encryptsInWords(p))
	row("backed up", "%s", backupInWords(p))
	row("model", "%s", webauthn.AAGUID(p.AAGUID))
	return w.Flush()
}

// moment is a time of this machine's clock.
func moment(seconds int64) string { return time.Unix(seconds, 0).Format("2006-01-02 15:04:05 -0700") }

func lastUsed(p ctap.Passkey) string {
	if p.LastUsed == 0 {
		return "never"
	}
	if p.Uses == 1 {
		return moment(p.LastUsed) + ", once in all"
	}
	return fmt.Sprintf("%s, %d times in all", moment(p.LastUsed), p.Uses)
}

func kindInWords(p ctap.Passkey) string {
	if p.Discoverable {
		return "passkey: the service finds it by itself"
	}
	return "security key: works once the service knows the user name"
}

// bindingInWords says who insists on the PIN, and how much that is worth.
func bindingInWords(p ctap.Passkey) string {
	if p.PINBound {
		return "demanded by the TPM: without it the key signs for nobody"
	}
	return "demanded by LocalPasskey when the service asks for it; the TPM would sign without it"
}

func encryptsInWords(p ctap.Passkey) string {
	if p.HMACSecret {
		return "yes (hmac-secret): data may be locked with it, and is lost with it"
	}
	return "no"
}

func backupInWords(p ctap.Passkey) string {
	switch {
	case p.BackedUp:
		return "yes"
	case p.BackupEligible:
		return "no, but it says it could be"
	default:
		return "no, and it cannot be: it never leaves this machine"
	}
}

func algorithm(p ctap.Passkey) string {
	if cose.Algorithm(p.Algorithm) == cose.ES256 {
		return "ES256"
	}
	return fmt.Sprintf("COSE algorithm %d", p.Algorithm)
}

// listJSON is `list --json` and `show --json`.
type listJSON struct {
	Passkeys []passkeyJSON `json:"passkeys"`
}

// passkeyJSON is one passkey. Times are RFC 3339 in UTC, user_id is base64url.
type passkeyJSON struct {
	ID             string     `json:"id"`
	Service        string     `json:"service"`
	ServiceName    string     `json:"service_name"`
	UserName       string     `json:"user_name"`
	UserDisplay    string     `json:"user_display_name"`
	UserID         string     `json:"user_id"`
	Created        time.Time  `json:"created"`
	LastUsed       *time.Time `json:"last_used"`
	Uses           uint64     `json:"uses"`
	SignCount      uint32     `json:"sign_count"`
	Discoverable   bool       `json:"discoverable"`
	CredProtect    uint       `json:"cred_protect"`
	PINBound       bool       `json:"pin_bound"`
	HMACSecret     bool       `json:"hmac_secret"`
	Algorithm      int64      `json:"algorithm"`
	AAGUID         string     `json:"aaguid"`
	BackupEligible bool       `json:"backup_eligible"`
	BackedUp       bool       `json:"backed_up"`
}

func newListJSON(all []ctap.Passkey) listJSON {
	list := listJSON{Passkeys: make([]passkeyJSON, 0, len(all))}
	for p := range slices.Values(all) {
		j := passkeyJSON{
			ID: id(p), Service: p.RPID, ServiceName: p.RPName,
			UserName: p.User.Name, UserDisplay: p.User.DisplayName,
			UserID:  base64.RawURLEncoding.EncodeToString(p.User.ID),
			Created: time.Unix(p.Created, 0).UTC(),
			Uses:    p.Uses, SignCount: p.SignCount, Discoverable: p.Discoverable,
			CredProtect: p.CredProtect, PINBound: p.PINBound, HMACSecret: p.HMACSecret,
			Algorithm: p.Algorithm, AAGUID: webauthn.AAGUID(p.AAGUID).String(),
			BackupEligible: p.BackupEligible, BackedUp: p.BackedUp,
		}
		if p.LastUsed != 0 {
			used := time.Unix(p.LastUsed, 0).UTC()
			j.LastUsed = &used
		}
		list.Passkeys = append(list.Passkeys, j)
	}
	return list
}
