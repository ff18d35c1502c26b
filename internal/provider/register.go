package provider

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// Ours.
const idBytes = 32

// From the specification: WebAuthn L3 §5.4.3, §6.5.4.
const (
	maxUserHandleBytes = 64
	formatNone         = "none"
)

// backup are the flags that macOS wants of every credential (WebAuthn L3 §6.1).
const backup = webauthn.FlagBE | webauthn.FlagBS

// Register answers a registration (WebAuthn L3 §6.3.2; comments give its steps).
func (p *Provider) Register(ctx context.Context, req RegistrationRequest, screen Screen, to Request) {
	p.answer(ctx, to, screen, "register", func(to Request) error { return p.register(ctx, &req, screen, to) })
}

// RegisterSilently answers a registration that nobody may be asked for.
func (p *Provider) RegisterSilently(ctx context.Context, to Request) {
	p.answer(ctx, to, nil, "register silently", func(Request) error { return errInteraction })
}

func (p *Provider) register(ctx context.Context, req *RegistrationRequest, screen Screen, to Request) error {
	if err := req.check(); err != nil { // step 1
		return err
	}
	if len(req.Algorithms) > 0 && !slices.Contains(req.Algorithms, int64(cose.ES256)) { // step 2; none means the defaults, ES256 among them
		return ctap.UnsupportedAlgorithm
	}
	known, err := p.load(ctx)
	if err != nil {
		return err
	}
	if err := p.refuseExcluded(ctx, req, known, screen); err != nil { // step 3
		return err
	}
	verified, err := p.consent(ctx, req, known, screen) // step 6
	if err != nil {
		return err
	}
	made, err := p.create(ctx, req) // step 7
	if err != nil {
		return err
	}
	err = p.deliver(ctx, req, made, verified, to) // steps 8–13
	if err != nil {
		return errors.Join(err, p.undo(ctx, made))
	}
	p.inUse(ctx, made)
	return nil
}

func (r *RegistrationRequest) check() error {
	switch {
	case r.RPID == "", len(r.ClientDataHash) != sha256.Size, len(r.UserHandle) == 0, len(r.UserHandle) > maxUserHandleBytes:
		return ctap.InvalidParameter
	}
	return nil
}

// refuseExcluded tells the site that there is a passkey, once the person allows it.
func (p *Provider) refuseExcluded(ctx context.Context, req *RegistrationRequest, known book, screen Screen) error {
	for _, id := range req.Excluded {
		e := known.find(req.RPID, id)
		if e == nil {
			continue
		}
		if err := screen.Verify(ctx, p.Reason(OperationExists, e.RPID, e.UserName)); err != nil {
			return err
		}
		return ctap.CredentialExcluded
	}
	return nil
}

// consent asks as the site prefers. A site that wants no verification is content
// with the system's own sheet, on which the person has chosen us.
func (p *Provider) consent(ctx context.Context, req *RegistrationRequest, known book, screen Screen) (verified bool, err error) {
	if req.Verification == Discouraged {
		return false, nil
	}
	operation := OperationRegister
	if len(known.of(req.RPID, req.UserHandle)) > 0 {
		operation = OperationReplace
	}
	err = screen.Verify(ctx, p.Reason(operation, req.RPID, req.UserName))
	if req.Verification == Preferred && errors.Is(err, ctap.NotAllowed) {
		return false, nil // this Mac can verify nobody
	}
	return err == nil, err
}

// create makes the key and then its entry, out of everybody's way.
func (p *Provider) create(ctx context.Context, req *RegistrationRequest) (made *entry, err error) {
	unlock, err := p.Entries.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	known, err := p.load(ctx)
	if err != nil {
		return nil, err
	}
	made = &entry{
		Version: entryVersion, RPID: req.RPID, UserName: req.UserName, UserHandle: req.UserHandle,
		Created: time.Now().Unix(), id: secret.Random(idBytes).Reveal(),
	}
	for _, old := range known.of(req.RPID, req.UserHandle) {
		made.Replaces = append(made.Replaces, old.id)
	}
	if made.Public, err = p.Keys.Create(ctx, made.id); err != nil {
		return nil, errors.Join(err, p.drop(ctx, made.id))
	}
	if err := p.save(ctx, made); err != nil {
		return nil, errors.Join(err, p.drop(ctx, made.id))
	}
	return made, nil
}

// deliver tells the system of the passkey, and answers.
func (p *Provider) deliver(ctx context.Context, req *RegistrationRequest, made *entry, verified bool, to Request) error {
	object, err := p.attest(made, verified)
	if err != nil {
		return err
	}
	if err := p.publish(ctx); err != nil {
		return err
	}
	return to.CompleteRegistration(ctx, Registration{
		RPID: made.RPID, ClientDataHash: req.ClientDataHash, ID: made.id, AttestationObject: object,
	})
}

// attest makes the attestation object, of format none (WebAuthn L3 §8.7).
func (p *Provider) attest(e *entry, verified bool) ([]byte, error) {
	data, err := webauthn.AuthenticatorData{
		RPIDHash: webauthn.RPIDHash(e.RPID),
		Flags:    presence(verified),
		Attested: &webauthn.AttestedCredential{AAGUID: p.AAGUID, CredentialID: e.id, PublicKey: e.Public},
	}.Marshal()
	if err != nil {
		return nil, err
	}
	statement, err := cbor.Marshal(struct{}{})
	if err != nil {
		return nil, err
	}
	return webauthn.AttestationObject{Format: formatNone, Statement: statement, AuthData: data}.Marshal()
}

// presence are the flags of an answer without attested data.
func presence(verified bool) webauthn.Flags {
	if verified {
		return webauthn.FlagUP | webauthn.FlagUV | backup
	}
	return webauthn.FlagUP | backup
}

// undo takes back what was made for an answer that nobody took. It is done even
// when the request was cancelled.
func (p *Provider) undo(ctx context.Context, made *entry) error {
	ctx = context.WithoutCancel(ctx)
	unlock, err := p.Entries.Lock(ctx)
	if err != nil {
		return err
	}
	err = p.drop(ctx, made.id)
	unlock()
	return errors.Join(err, p.publish(ctx))
}

// drop deletes an entry and then its key: a key that is left over is found by
// Refresh, an entry without a key would look like a passkey.
func (p *Provider) drop(ctx context.Context, id []byte) error {
	ctx = context.WithoutCancel(ctx)
	if err := p.Entries.Delete(ctx, id); err != nil {
		return err
	}
	return p.Keys.Delete(ctx, id)
}

// inUse deletes what e replaces, now that e is known to be in use. What fails is
// done at e's next use.
func (p *Provider) inUse(ctx context.Context, e *entry) {
	if len(e.Replaces) == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx)
	if err := errors.Join(p.settle(ctx, e), p.publish(ctx)); err != nil {
		p.Log.ErrorContext(ctx, "a passkey that was replaced is still here", "cause", err)
	}
}

func (p *Provider) settle(ctx context.Context, e *entry) error {
	unlock, err := p.Entries.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	known, err := p.load(ctx)
	if err != nil {
		return err
	}
	now := known.find(e.RPID, e.id)
	if now == nil {
		return nil
	}
	for _, old := range now.Replaces {
		if err := p.drop(ctx, old); err != nil {
			return err
		}
	}
	now.Replaces = nil
	return p.save(ctx, now)
}
