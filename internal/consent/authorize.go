package consent

import (
	"errors"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// Request is the part of a registration or sign-in that speaks of user
// verification.
type Request struct {
	Param      *[]byte // pinUvAuthParam, nil when absent
	Protocol   pinuv.Protocol
	Message    []byte // what Param authenticates: clientDataHash
	Permission ctap.Permission
	RPID       string
	UV         bool // the uv option
	Required   bool // the request fails without verification
}

// WantsTouch recognises the old way to ask for a touch: an empty pinUvAuthParam
// (§6.1.2 step 1).
func WantsTouch(param *[]byte) bool { return param != nil && len(*param) == 0 }

// CheckProtocol is step 2 of §6.1.2 and §6.2.2.
func (r *Request) CheckProtocol() error {
	if r.Param == nil {
		return nil
	}
	return ctap.CheckProtocol(r.Protocol)
}

// Authorization is how one registration or sign-in is permitted. It must be
// released.
type Authorization struct {
	token   *Token // set when pinUvAuthParam was right
	builtIn bool   // our own prompt verifies the user, together with the gesture
	grant   Grant
	owned   bool // grant is ours to drop
	// verified: the hardware has accepted the PIN at our prompt.
	verified bool
}

// Authorize decides how the user is verified (§6.1.2 steps 5–11, §6.2.2 steps
// 3–6). Built-in verification itself happens in Obtain, in one prompt with the
// gesture.
func (g *Gate) Authorize(r *Request) (*Authorization, error) {
	z := &Authorization{}
	if r.Param != nil {
		t, err := g.verifyUse(r)
		if err != nil {
			return nil, err
		}
		z.token, z.grant = t, t.grant
		return z, nil
	}
	canVerify := g.CanVerify()
	switch {
	case r.UV && !canVerify:
		return nil, ctap.InvalidOption
	case g.Reinsert() && (r.UV || r.Required):
		return nil, ctap.PUATRequired // whose answer, PIN_AUTH_BLOCKED, tells what to do
	case r.UV, r.Required && canVerify:
		z.builtIn = true
	case r.Required:
		return nil, ctap.PUATRequired
	}
	return z, nil
}

// DemandPIN adds built-in verification to a request that did without, because a
// key it would use cannot. Where our prompt cannot ask, ok is false.
func (g *Gate) DemandPIN(z *Authorization) (ok bool) {
	z.builtIn = g.CanVerify() && !g.Reinsert()
	return z.builtIn
}

// UV tells whether the response says UV=1, if all goes well.
func (z *Authorization) UV() bool { return z.token != nil || z.builtIn }

// Verified tells whether the user has been verified by now; with our own prompt
// that is so only after the question.
func (z *Authorization) Verified() bool { return z.token != nil || z.verified }

// BuiltIn tells whether our own prompt verifies the user.
func (z *Authorization) BuiltIn() bool { return z.builtIn }

// Grant is the proof there is so far, nil for none.
func (z *Authorization) Grant() Grant { return z.grant }

// Exchange turns the PIN held for a token that named no relying party into a
// grant. verify has the hardware check it.
func (g *Gate) Exchange(z *Authorization, verify func(pinHash secret.Bytes) (Grant, error)) error {
	if z.token == nil {
		return ctap.PINAuthInvalid
	}
	hash := z.token.held.Take()
	defer hash.Wipe()
	if hash.IsZero() {
		return ctap.PINAuthInvalid
	}
	grant, err := verify(hash)
	if err := g.countPIN(z.token.RPID(), err); err != nil {
		return errors.Join(ctap.PINAuthInvalid, err)
	}
	z.grant, z.token.grant = grant, grant
	return nil
}

// NeedsExchange tells whether there is a token but no grant yet.
func (z *Authorization) NeedsExchange() bool { return z.token != nil && z.grant == nil }

// spend uses the token up; its grant stays with the request.
func (z *Authorization) spend() {
	if z.token != nil {
		if grant := z.token.spend(); grant != nil {
			z.grant = grant
		}
	}
	z.owned = true
}

// Release drops what is left of the verification.
func (z *Authorization) Release() {
	if z.owned {
		drop(z.grant)
		z.grant = nil
	}
}
