package consent

import (
	"bytes"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// From the specification: §6.5.2.1, usage time limits of a pinUvAuthToken.
const (
	initialUsage = 30 * time.Second
	maxUsage     = 10 * time.Minute
	userPresence = 30 * time.Second
)

// unboundPIN is how long a PIN's hash waits for a token without an RP to find
// one. Ours.
const unboundPIN = 30 * time.Second

// usePermissions are those that let a key be used, and so need a grant.
const usePermissions = ctap.PermissionMakeCredential | ctap.PermissionGetAssertion

// Token is the pinUvAuthToken in use and its state (CTAP 2.3 §6.5.2.1). There is
// one at a time, whatever the protocol: obtaining one resets all (§6.5.5.7).
type Token struct {
	pinuv.Token
	permissions  ctap.Permission
	rpID         string // empty until bound
	issued       time.Time
	used         bool
	userPresent  bool
	userVerified bool
	// account is the user handle that was shown with the question for this token,
	// nil where none was.
	account []byte

	// grant proves the verification to the hardware, for rpID.
	grant Grant
	// held is the PIN's hash, which stands in for the grant while no RP is known.
	held secret.Held
}

// newToken issues a token; it replaces the one before.
func (g *Gate) newToken(p pinuv.Protocol, permissions ctap.Permission, rpID string) *Token {
	g.dropToken()
	t := &Token{
		Token:        pinuv.RandomToken(p),
		permissions:  permissions,
		rpID:         rpID,
		issued:       time.Now(),
		userVerified: true,
	}
	g.token = t
	g.After(initialUsage, func() {
		if g.token == t && !t.used {
			g.dropToken()
		}
	})
	g.After(GrantLifetime, t.dropGrant)
	return t
}

// dropToken ends the token in use (§6.5.2.1, resetPinUvAuthToken).
func (g *Gate) dropToken() {
	if g.token == nil {
		return
	}
	g.epoch++
	g.token.dropGrant()
	g.token.held.Drop()
	g.token.Wipe()
	g.token = nil
}

func (t *Token) dropGrant() {
	drop(t.grant)
	t.grant = nil
}

// drop forgets a grant; nil is none.
func drop(grant Grant) {
	if grant != nil {
		grant.Drop()
	}
}

// live tells whether the token may still be used (§6.5.2.1).
func (t *Token) live(now time.Time) bool {
	age := now.Sub(t.issued)
	return age < maxUsage && (t.used || age < initialUsage)
}

// grantDeadline is when the hardware stops honouring the token's grant.
func (t *Token) grantDeadline() time.Time { return t.issued.Add(GrantLifetime) }

// present is getUserPresentFlagValue (§6.5.2.1).
func (t *Token) present(now time.Time) bool {
	return t.userPresent && now.Sub(t.issued) < userPresence
}

// covers tells whether the question for the token stands for that one too: nobody
// has to choose, and whoever was named is the one meant.
func (t *Token) covers(ask *Ask, now time.Time) bool {
	return t.present(now) && !ask.Replaces && len(ask.Accounts) < 2 && (t.account == nil || t.named(ask))
}

// named tells whether the question for the token has named the account of ask.
func (t *Token) named(ask *Ask) bool {
	return t.account != nil && len(ask.Accounts) == 1 && bytes.Equal(t.account, ask.Accounts[0].ID)
}

// RPID is the relying party the token is bound to, empty for none yet.
func (t *Token) RPID() string { return t.rpID }

// Bind ties a token without a relying party to rpID.
func (t *Token) Bind(rpID string) {
	if t.rpID == "" {
		t.rpID = rpID
	}
}

// VerifyToken finds the token that made param over message and checks that it
// lives and has the permission (§6.5.2.1). The caller checks the relying party.
func (g *Gate) VerifyToken(p pinuv.Protocol, param, message []byte, need ctap.Permission) (*Token, error) {
	t := g.token
	if t == nil || t.Protocol() != p || !t.Verify(message, param) {
		return nil, ctap.PINAuthInvalid
	}
	now := time.Now()
	if !t.live(now) {
		g.dropToken()
		return nil, ctap.PINAuthInvalid
	}
	if t.permissions&need == 0 {
		return nil, ctap.PINAuthInvalid
	}
	t.used = true
	return t, nil
}

// verifyUse is VerifyToken for a token that lets a key of rpID be used (§6.1.2
// step 11, §6.2.2 step 6).
func (g *Gate) verifyUse(r *Request) (*Token, error) {
	t, err := g.VerifyToken(r.Protocol, *r.Param, r.Message, r.Permission)
	if err != nil {
		return nil, err
	}
	if t.rpID != "" && t.rpID != r.RPID || !t.userVerified || time.Now().After(t.grantDeadline()) {
		return nil, ctap.PINAuthInvalid
	}
	t.Bind(r.RPID)
	return t, nil
}

// spend uses the token up for a registration or sign-in: presence, verification
// and all permissions but largeBlobWrite go (§6.1.2 step 14). The grant passes
// to the caller.
func (t *Token) spend() Grant {
	grant := t.grant
	t.grant = nil
	t.held.Drop()
	t.userPresent, t.userVerified = false, false
	t.permissions &= ctap.PermissionLargeBlobWrite
	return grant
}
