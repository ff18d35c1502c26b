package manager

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// Ours: how much of a text is shown, in code points.
const (
	maxText = 1000
	maxName = 64
)

// State is what the page shows of the authenticator.
type State struct {
	Version  string   `json:"version"`
	SetUp    bool     `json:"set_up"`
	PINSet   bool     `json:"pin_set"`
	Retries  uint     `json:"retries"`
	Reinsert bool     `json:"reinsert"`
	Finger   bool     `json:"finger"`   // Touch ID asks, and there is no PIN
	Compares bool     `json:"compares"` // with another device's list
	Hardware string   `json:"hardware"`
	Problem  *Refusal `json:"problem,omitempty"`
}

func (a *API) state(ctx context.Context, c ctap.Authenticator) (*State, error) {
	s, err := ctap.Call[ctap.StatusResponse](ctx, c, ctap.CommandStatus, nil)
	if err != nil {
		return nil, err
	}
	state := &State{
		Version: prompt.Legible(s.Version, maxText), SetUp: s.SetUp, PINSet: s.PINSet, Retries: s.PINRetries,
		Reinsert: s.Reinsert, Finger: s.Prompt == ctap.PromptTouchID, Compares: true, Hardware: prompt.Legible(s.Hardware, maxText),
	}
	if s.Problem != nil {
		state.Problem = a.refusal(s.Problem)
	}
	return state, nil
}

// Passkey is what the page shows of one. Times are Unix seconds; LastUsed is 0 for
// never.
type Passkey struct {
	ID           string `json:"id"`
	Service      string `json:"service"`
	URL          string `json:"url,omitempty"` // empty where the service is no web site
	CallsItself  string `json:"calls_itself,omitempty"`
	UserName     string `json:"user_name"`
	DisplayName  string `json:"display_name"`
	Created      int64  `json:"created"`
	LastUsed     int64  `json:"last_used"`
	Uses         uint64 `json:"uses"`
	SignCount    uint32 `json:"sign_count"`
	Discoverable bool   `json:"discoverable"`
	PINBound     bool   `json:"pin_bound"`
	Encrypts     bool   `json:"encrypts"`
	CredProtect  uint   `json:"cred_protect"`
	AAGUID       string `json:"aaguid"`
	Algorithm    string `json:"algorithm"`
	Flags        string `json:"flags"`
	Hidden       bool   `json:"hidden"`
	// Extensions are those in use, in words.
	Extensions []string `json:"extensions"`
}

func (a *API) passkeys(ctx context.Context, c ctap.Authenticator) ([]Passkey, error) {
	all, err := ctap.ReadPasskeys(ctx, c)
	if err != nil {
		return nil, err
	}
	shown := make([]Passkey, 0, len(all))
	for _, p := range all {
		shown = append(shown, Passkey{
			ID: id(p), Service: prompt.Service(p.RPID), URL: Address(p.RPID),
			CallsItself: prompt.Legible(p.RPName, maxName),
			UserName:    prompt.Legible(p.User.Name, maxName), DisplayName: prompt.Legible(p.User.DisplayName, maxName),
			Created: p.Created, LastUsed: p.LastUsed, Uses: p.Uses, SignCount: p.SignCount,
			Discoverable: p.Discoverable, PINBound: p.PINBound, Encrypts: p.HMACSecret, CredProtect: p.CredProtect,
			AAGUID: webauthn.AAGUID(p.AAGUID).String(), Algorithm: algorithm(p), Flags: flags(p),
			Hidden: p.Hidden, Extensions: extensions(p),
		})
	}
	return shown, nil
}

// Address is where a service's web site is. Only what is a plain domain name is one:
// an RP ID is a text that a program has sent.
func Address(rpID string) string {
	if !strings.Contains(rpID, ".") || strings.HasPrefix(rpID, ".") || strings.HasSuffix(rpID, ".") {
		return ""
	}
	for _, r := range rpID {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-' {
			return ""
		}
	}
	return "https://" + rpID
}

func algorithm(p ctap.Passkey) string {
	if cose.Algorithm(p.Algorithm) == cose.ES256 {
		return "ES256 (ECDSA, P-256)"
	}
	if cose.Algorithm(p.Algorithm) == cose.ES384 {
		return "ES384 (ECDSA, P-384)"
	}
	return fmt.Sprintf("COSE algorithm %d", p.Algorithm)
}

// extensions names what of them a passkey has.
func extensions(p ctap.Passkey) []string {
	found := []string{}
	add := func(has bool, format string, args ...any) {
		if has {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	add(p.CredProtect > 1, "credProtect %d", p.CredProtect)
	add(p.HMACSecret, "hmac-secret")
	add(p.BlobBytes > 0, "credBlob (%d bytes)", p.BlobBytes)
	add(p.LargeBlobKey, "largeBlobKey")
	add(p.ThirdPartyPayment, "thirdPartyPayment")
	return found
}

// flags are BE and BS as the site sees them.
func flags(p ctap.Passkey) string {
	bit := func(set bool) int {
		if set {
			return 1
		}
		return 0
	}
	return fmt.Sprintf("BE=%d BS=%d", bit(p.BackupEligible), bit(p.BackedUp))
}

// History is what the page shows of the audit trail, newest first.
type History struct {
	Entries []Entry `json:"entries"`
	Gone    uint64  `json:"gone"` // how many entries are not there any more
	Broken  uint64  `json:"broken,omitempty"`
	Why     string  `json:"why,omitempty"`
}

// Entry is one of them. Time is Unix milliseconds.
type Entry struct {
	Sequence uint64 `json:"sequence"`
	Time     int64  `json:"time"`
	Event    string `json:"event"`
	Service  string `json:"service"`
	Account  string `json:"account"`
	Detail   string `json:"detail"`
	AskedBy  string `json:"asked_by"`
}

func (a *API) history(ctx context.Context, c ctap.Authenticator) (*History, error) {
	log, err := ctap.ReadTrail(ctx, c)
	if err != nil {
		return nil, err
	}
	h := &History{Entries: []Entry{}, Gone: log.First - 1, Broken: log.Broken, Why: prompt.Legible(log.Why, maxText)}
	for _, e := range slices.Backward(log.Entries) {
		entry := Entry{
			Sequence: e.Sequence, Time: e.Time, Event: prompt.Legible(string(e.Event), maxName),
			Account: prompt.Legible(e.Account, maxName), Detail: prompt.Legible(e.Detail, maxName),
			AskedBy: prompt.Legible(strings.Join(e.Programs, " ← "), maxName),
		}
		if e.RPID != "" {
			entry.Service = prompt.Service(e.RPID)
		}
		h.Entries = append(h.Entries, entry)
	}
	return h, nil
}
