package view

import (
	"encoding/base64"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/localpasskey/localpasskey/internal/cli/words"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// Passkey shows all that is known of one passkey.
func Passkey(out io.Writer, p ctap.Passkey, machine words.Words) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("service", "%s", prompt.Service(p.RPID))
	if name := prompt.Legible(p.RPName, maxText); name != "" {
		row("calls itself", "%s", name)
	}
	row("account", "%s", prompt.Account(p.User))
	row("ID", "%s", ID(p))
	row("created", "%s", moment(p.Created))
	row("last used", "%s", lastUsed(p))
	row("kind", "%s", kindInWords(p))
	binding := machine.Unbound
	if p.PINBound {
		binding = machine.Bound
	}
	row(machine.VerifiedBy, "%s", binding)
	row("key", "%s in %s; sign count %d", algorithm(p), machine.Chip, p.SignCount)
	row("encrypts", "%s", encryptsInWords(p))
	if p.BlobBytes > 0 {
		row("keeps", "%d bytes of the service's own (credBlob)", p.BlobBytes)
	}
	if p.ThirdPartyPayment {
		row("pays", "other sites may ask it to approve payments (thirdPartyPayment)")
	}
	if p.Hidden {
		row("hidden", "yes: it is not offered, `localpasskey unhide` brings it back")
	}
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
	if cose.Algorithm(p.Algorithm) == cose.ES384 {
		return "ES384"
	}
	return fmt.Sprintf("COSE algorithm %d", p.Algorithm)
}

// listJSON is what PasskeysJSON writes.
type listJSON struct {
	Passkeys []passkeyJSON `json:"passkeys"`
}

// passkeyJSON is one passkey. Times are RFC 3339 in UTC, user_id is base64url.
type passkeyJSON struct {
	ID                string     `json:"id"`
	Service           string     `json:"service"`
	ServiceName       string     `json:"service_name"`
	UserName          string     `json:"user_name"`
	UserDisplay       string     `json:"user_display_name"`
	UserID            string     `json:"user_id"`
	Created           time.Time  `json:"created"`
	LastUsed          *time.Time `json:"last_used"`
	Uses              uint64     `json:"uses"`
	SignCount         uint32     `json:"sign_count"`
	Discoverable      bool       `json:"discoverable"`
	CredProtect       uint       `json:"cred_protect"`
	PINBound          bool       `json:"pin_bound"`
	HMACSecret        bool       `json:"hmac_secret"`
	Algorithm         int64      `json:"algorithm"`
	AAGUID            string     `json:"aaguid"`
	BackupEligible    bool       `json:"backup_eligible"`
	BackedUp          bool       `json:"backed_up"`
	BlobBytes         uint       `json:"cred_blob_bytes"`
	ThirdPartyPayment bool       `json:"third_party_payment"`
	Hidden            bool       `json:"hidden"`
}

// PasskeysJSON is Table and Passkey for scripts.
func PasskeysJSON(out io.Writer, all []ctap.Passkey) error {
	list := listJSON{Passkeys: make([]passkeyJSON, 0, len(all))}
	for _, p := range all {
		j := passkeyJSON{
			ID: ID(p), Service: p.RPID, ServiceName: p.RPName,
			UserName: p.User.Name, UserDisplay: p.User.DisplayName,
			UserID:  base64.RawURLEncoding.EncodeToString(p.User.ID),
			Created: time.Unix(p.Created, 0).UTC(),
			Uses:    p.Uses, SignCount: p.SignCount, Discoverable: p.Discoverable,
			CredProtect: p.CredProtect, PINBound: p.PINBound, HMACSecret: p.HMACSecret,
			Algorithm: p.Algorithm, AAGUID: webauthn.AAGUID(p.AAGUID).String(),
			BackupEligible: p.BackupEligible, BackedUp: p.BackedUp,
			BlobBytes: p.BlobBytes, ThirdPartyPayment: p.ThirdPartyPayment, Hidden: p.Hidden,
		}
		if p.LastUsed != 0 {
			used := time.Unix(p.LastUsed, 0).UTC()
			j.LastUsed = &used
		}
		list.Passkeys = append(list.Passkeys, j)
	}
	return JSON(out, list)
}
