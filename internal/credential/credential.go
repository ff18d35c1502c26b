package credential

import (
	"slices"
	"time"
	"unicode/utf8"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// IDBytes is the length of our credential ids: random, so that they
// tell nothing and need no key to make.
const IDBytes = 32

// Protection is a credProtect level (CTAP 2.3 §12.1).
type Protection byte

// From the specification: §12.1.
const (
	UVOptional                     Protection = 1
	UVOptionalWithCredentialIDList Protection = 2
	UVRequired                     Protection = 3
)

// Credential is all that is known of one passkey. The private keys in it are
// wrapped to this machine's hardware.
type Credential struct {
	ID           []byte
	RP           ctap.RelyingParty
	User         ctap.User
	Key          Key
	MACWithUV    []byte // handle of CredRandomWithUV's key, empty without hmac-secret
	MACWithoutUV []byte // handle of CredRandomWithoutUV's, empty where not made
	// LargeBlobKey is what platforms encrypt large blobs with, nil for none. It is
	// told to whoever signs in and asks.
	LargeBlobKey []byte
	// Blob is what the relying party has put beside the credential (credBlob), nil
	// for none; ThirdPartyPayment lets others than it ask for payments.
	Blob              []byte
	ThirdPartyPayment bool
	Discoverable      bool
	// Hidden ones are offered only to a relying party that names them.
	Hidden     bool
	Protection Protection
	// AAGUID and Backup (the BE and BS flags) are fixed at registration and
	// never change.
	AAGUID    webauthn.AAGUID
	Backup    webauthn.Flags
	SignCount uint32
	Created   time.Time
	LastUsed  time.Time // zero for never
	Uses      uint64
}

// Visible drops the credentials that credProtect hides (§12.1): level 3 without
// verification, level 2 without verification unless the RP named it. Unless it named
// them, those that were hidden are dropped too.
func Visible(all []*Credential, uv, named bool) []*Credential {
	var seen []*Credential
	for _, c := range all {
		if c.Hidden && !named {
			continue
		}
		if uv || c.Protection == UVOptional || named && c.Protection == UVOptionalWithCredentialIDList {
			seen = append(seen, c)
		}
	}
	return seen
}

// NewestFirst sorts by creation.
func NewestFirst(all []*Credential) {
	slices.SortStableFunc(all, func(x, y *Credential) int { return y.Created.Compare(x.Created) })
}

// CutName shortens a name to ctap.MaxNameBytes at a character's end (CTAP 2.3 §6.1.2).
func CutName(name string) string {
	if len(name) <= ctap.MaxNameBytes {
		return name
	}
	end := ctap.MaxNameBytes
	for end > 0 && !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end]
}
