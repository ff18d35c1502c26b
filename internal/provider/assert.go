package provider

import (
	"context"
	"crypto/sha256"
	"math"
	"slices"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// Assert answers a sign-in, with the passkey that the request names or that the
// person chooses (WebAuthn L3 §6.3.3; comments give its steps).
func (p *Provider) Assert(ctx context.Context, req AssertionRequest, screen Screen, to Request) {
	p.answer(ctx, to, screen, "assert", func(to Request) error { return p.assert(ctx, &req, screen, to) })
}

// AssertSilently answers a sign-in that nobody may be asked for.
func (p *Provider) AssertSilently(ctx context.Context, to Request) {
	p.answer(ctx, to, nil, "assert silently", func(Request) error { return errInteraction })
}

func (p *Provider) assert(ctx context.Context, req *AssertionRequest, screen Screen, to Request) error {
	if req.RPID == "" || len(req.ClientDataHash) != sha256.Size { // step 1
		return ctap.InvalidParameter
	}
	chosen, err := p.choose(ctx, req, screen) // steps 2–7
	if err != nil {
		return err
	}
	used, err := p.count(ctx, chosen) // step 9
	if err != nil {
		return err
	}
	a := Assertion{RPID: used.RPID, ClientDataHash: req.ClientDataHash, ID: used.id, UserHandle: used.UserHandle}
	a.AuthData, err = webauthn.AuthenticatorData{ // step 10
		RPIDHash: webauthn.RPIDHash(used.RPID), Flags: presence(true), SignCount: used.SignCount,
	}.Marshal()
	if err != nil {
		return err
	}
	digest := sha256.Sum256(slices.Concat(a.AuthData, req.ClientDataHash))
	a.Signature, err = p.Keys.Sign(ctx, used.id, used.Public, digest, p.Reason(OperationSignIn, used.RPID, used.UserName)) // step 11
	if err != nil {
		return err
	}
	if err := to.CompleteAssertion(ctx, a); err != nil {
		return err
	}
	p.inUse(ctx, used)
	return nil
}

// choose finds the passkey. One that the system offers and that is not here is not
// offered again.
func (p *Provider) choose(ctx context.Context, req *AssertionRequest, screen Screen) (*entry, error) {
	known, err := p.load(ctx)
	if err != nil {
		return nil, err
	}
	if req.ID != nil {
		if e := known.find(req.RPID, req.ID); e != nil {
			return e, nil
		}
		if err := p.publish(ctx); err != nil {
			p.Log.WarnContext(ctx, "the system's list could not be replaced", "cause", err)
		}
		return nil, ctap.NoCredentials
	}
	candidates := known.where(func(e *entry) bool {
		named := contains(req.Allowed, e.id)
		return e.RPID == req.RPID && (named || len(req.Allowed) == 0 && !e.Hidden)
	})
	slices.Reverse(candidates) // the newest first
	if len(candidates) == 0 {
		return nil, ctap.NoCredentials
	}
	var names []string
	for _, e := range candidates {
		names = append(names, e.UserName)
	}
	n, err := screen.Choose(ctx, req.RPID, names)
	if err != nil {
		return nil, err
	}
	if n < 0 || n >= len(candidates) {
		return nil, ctap.OperationDenied
	}
	return candidates[n], nil
}

// count moves the counter, on disk, and gives the entry as it is now. It does so
// before the finger: a number that was never used is no harm, one used twice is.
func (p *Provider) count(ctx context.Context, chosen *entry) (*entry, error) {
	unlock, err := p.Entries.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	known, err := p.load(ctx)
	if err != nil {
		return nil, err
	}
	e := known.find(chosen.RPID, chosen.id)
	switch {
	case e == nil:
		return nil, ctap.NoCredentials // deleted while the person chose
	case e.SignCount == math.MaxUint32:
		return nil, ctap.LimitExceeded
	}
	e.SignCount++
	return e, p.save(ctx, e)
}
