package authenticator

import (
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// CredentialIDBytes is the length of our credential ids: random, so that they
// tell nothing and need no key to make.
const CredentialIDBytes = 32

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
	Discoverable bool
	Protection   Protection
	// AAGUID and Backup (the BE and BS flags) are fixed at registration and
	// never change.
	AAGUID    webauthn.AAGUID
	Backup    webauthn.Flags
	SignCount uint32
	Created   time.Time
	LastUsed  time.Time // zero for never
	Uses      uint64
}
