package authenticator

import (
	"context"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"time"

	"github.com/localpasskey/localpasskey/internal/consent"
	"github.com/localpasskey/localpasskey/internal/credential"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/extension"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// remaining is what getAssertion leaves for getNextAssertion.
type remaining struct {
	request *signIn
	auth    *consent.Authorization
	rest    []*Credential
}

// signIn is a getAssertion request that has been checked.
type signIn struct {
	*ctap.GetAssertionRequest
	rpIDHash [32]byte
	up       bool
	asked    *extension.SignIn
}

// GetAssertion is authenticatorGetAssertion (CTAP 2.3 §6.2.2); comments give its
// steps.
func (ch *Channel) GetAssertion(ctx context.Context, req *ctap.GetAssertionRequest) (*ctap.GetAssertionResponse, error) {
	return serve(ctx, ch, "getAssertion", func(ctx context.Context) (*ctap.GetAssertionResponse, error) {
		return ch.getAssertion(ctx, req)
	})
}

func (ch *Channel) getAssertion(ctx context.Context, req *ctap.GetAssertionRequest) (*ctap.GetAssertionResponse, error) {
	a := ch.a
	if consent.WantsTouch(req.PINUVAuthParam) { // step 1
		return nil, a.gate.Touch(ctx)
	}
	if err := req.Check(); err != nil {
		return nil, err
	}
	uv := &consent.Request{
		Param: req.PINUVAuthParam, Protocol: req.PINUVAuthProtocol, Message: req.ClientDataHash,
		Permission: ctap.PermissionGetAssertion, RPID: req.RPID,
	}
	if err := uv.CheckProtocol(); err != nil { // step 2
		return nil, err
	}
	up, err := signInOptions(req.Options, uv) // step 4
	if err != nil {
		return nil, err
	}
	settings, err := a.store.Settings()
	if err != nil {
		return nil, err
	}
	uv.Required = settings.AlwaysUV && up // step 5
	z, err := a.gate.Authorize(uv)        // steps 5–6
	if err != nil {
		return nil, err
	}
	in := &signIn{GetAssertionRequest: req, rpIDHash: webauthn.RPIDHash(req.RPID), up: up}
	found, err := a.locate(in, z) // step 7
	if err != nil {
		return nil, err
	}
	if up && !z.UV() {
		if found, err = a.demandPIN(z, found); err != nil {
			return nil, err
		}
	}
	if len(req.AllowList) > 0 {
		found = found[:1] // step 11: any one of them
	}
	if in.asked, err = extension.ReadSignIn(req.Extensions, a.gate.Decapsulate); err != nil { // step 8
		return nil, err
	}
	if in.asked.Salts != nil && !up {
		in.asked.Wipe()
		return nil, ctap.UnsupportedOption
	}
	return ch.signIn(ctx, in, z, found)
}

// signInOptions is step 4: rk has no meaning here, up is true unless refused,
// and pinUvAuthParam overrides uv.
func signInOptions(o *ctap.Options, uv *consent.Request) (up bool, err error) {
	if o == nil {
		return true, nil
	}
	if o.RK != nil {
		return false, ctap.UnsupportedOption
	}
	uv.UV = isTrue(o.UV) && uv.Param == nil
	return o.UP == nil || *o.UP, nil
}

// locate is step 7: what the allow-list names, or all discoverable credentials,
// without those that credProtect hides; newest first.
func (a *Authenticator) locate(in *signIn, z *consent.Authorization) ([]*Credential, error) {
	var found []*Credential
	var err error
	if listed := len(in.AllowList) > 0; listed {
		found, err = a.named(in.AllowList, in.rpIDHash)
		found = credential.Visible(found, z.UV(), true)
	} else {
		found, err = a.store.ByRP(in.rpIDHash)
		found = slices.DeleteFunc(credential.Visible(found, z.UV(), false), func(c *Credential) bool { return !c.Discoverable })
	}
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ctap.NoCredentials
	}
	return found, nil
}

// demandPIN is ours: keys bound to the PIN cannot sign without, whatever the
// settings say by now. Our prompt asks for it, or else only the other keys are
// left to choose from.
func (a *Authenticator) demandPIN(z *consent.Authorization, found []*Credential) ([]*Credential, error) {
	bound := func(c *Credential) bool { return c.Key.Binding == PINBound }
	if !slices.ContainsFunc(found, bound) || a.gate.DemandPIN(z) {
		return found, nil
	}
	if found = slices.DeleteFunc(found, bound); len(found) == 0 {
		return nil, ctap.PUATRequired
	}
	return found, nil
}

// signIn asks and answers with the chosen credential (steps 9–13). With a prompt of
// our own the choice is the person's. userSelected says that they know whose passkey
// it is, which spares them the platform's question.
func (ch *Channel) signIn(ctx context.Context, in *signIn, z *consent.Authorization, found []*Credential) (*ctap.GetAssertionResponse, error) {
	if !in.up && !z.BuiltIn() {
		return ch.signInSilently(ctx, in, z, found)
	}
	defer (&remaining{request: in, auth: z}).close()
	yes, err := ch.a.askSignIn(ctx, z, found)
	if err != nil {
		return nil, err
	}
	response, err := ch.a.assert(ctx, in, z, found[yes.Account], yes.Use)
	if err = errors.Join(err, yes.Use.Close()); err != nil {
		return nil, err
	}
	response.UserSelected = yes.Named && len(in.AllowList) == 0
	return response, nil
}

// signInSilently answers with the newest credential and leaves the others for
// getNextAssertion (step 12).
func (ch *Channel) signInSilently(ctx context.Context, in *signIn, z *consent.Authorization, found []*Credential) (*ctap.GetAssertionResponse, error) {
	left := &remaining{request: in, auth: z, rest: found[1:]}
	response, err := ch.a.silent(ctx, in, z, found[0])
	if err != nil || len(left.rest) == 0 {
		left.close()
		return response, err
	}
	response.NumberOfCredentials = uint(len(found))
	ch.leave(left)
	return response, nil
}

// close drops the verification and the salts.
func (l *remaining) close() {
	l.auth.Release()
	l.request.asked.Wipe()
}

// onlyAccount finds whose the one passkey is that a relying party has here.
func onlyAccount(s Store) func(rpIDHash [32]byte) (*ctap.User, error) {
	return func(rpIDHash [32]byte) (*ctap.User, error) {
		found, err := s.ByRP(rpIDHash)
		if found = credential.Visible(found, true, false); err != nil || len(found) != 1 {
			return nil, err
		}
		return &found[0].User, nil
	}
}

// askSignIn asks while the newest credential is being readied; when the person
// picks another, that one is readied then.
func (a *Authenticator) askSignIn(ctx context.Context, z *consent.Authorization, found []*Credential) (consent.Consent[*ready], error) {
	ask := Ask{Operation: OperationSignIn, RP: found[0].RP}
	for _, c := range found {
		ask.Accounts = append(ask.Accounts, c.User)
	}
	yes, err := consent.Obtain(ctx, a.gate, z, ask, func(ctx context.Context) (*ready, error) {
		return a.prepareSignIn(ctx, found[0], z)
	})
	if err != nil || yes.Account == 0 {
		return yes, err
	}
	if err := yes.Use.Close(); err != nil {
		return yes, err
	}
	yes.Use, err = a.prepareSignIn(ctx, found[yes.Account], z)
	return yes, err
}

// prepareSignIn readies the key and moves the sign count.
func (a *Authenticator) prepareSignIn(ctx context.Context, c *Credential, z *consent.Authorization) (*ready, error) {
	r, err := a.prepareKey(ctx, &c.Key, z)
	if err != nil {
		return nil, err
	}
	if r.count, err = a.store.NextSignCount(c.ID); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// silent answers a request without presence (up=false): how platforms probe
// which credentials are here. A key bound to the PIN has nothing to sign with
// then, so the answer carries UP=0, UV=0, the counter as it is, and random
// numbers in the form of a signature; no hardware is asked.
func (a *Authenticator) silent(ctx context.Context, in *signIn, z *consent.Authorization, c *Credential) (*ctap.GetAssertionResponse, error) {
	if c.Key.Binding == PINBound && !z.UV() {
		data, err := webauthn.AuthenticatorData{RPIDHash: in.rpIDHash, Flags: c.Backup, SignCount: c.SignCount}.Marshal()
		if err != nil {
			return nil, err
		}
		signature, err := decoySignature(len(c.Key.Public.X))
		return answer(c, z, in, data, signature), err
	}
	r, err := a.prepareSignIn(ctx, c, z)
	if err != nil {
		return nil, err
	}
	response, err := a.assert(ctx, in, z, c, r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	return response, nil
}

// decoySignature is two random numbers of that many bytes in the form of an ECDSA
// signature.
func decoySignature(size int) ([]byte, error) {
	numbers := make([]byte, 2*size)
	_, _ = rand.Read(numbers) // crypto/rand never fails
	return asn1.Marshal(struct{ R, S *big.Int }{
		new(big.Int).SetBytes(numbers[:size]), new(big.Int).SetBytes(numbers[size:]),
	})
}

// assert makes the assertion (WebAuthn L3 §6.3.3). After the gesture only this is
// left: hmac-secret where asked for, and one signature.
func (a *Authenticator) assert(ctx context.Context, in *signIn, z *consent.Authorization, c *Credential, r *ready) (*ctap.GetAssertionResponse, error) {
	secrets, err := a.secrets(ctx, c, z, in.asked.Salts)
	if err != nil {
		return nil, err
	}
	outputs, err := in.asked.Outputs(c, secrets)
	if err != nil {
		return nil, err
	}
	data, err := webauthn.AuthenticatorData{
		RPIDHash:   in.rpIDHash,
		Flags:      flags(in.up, z.UV()) | c.Backup,
		SignCount:  r.count,
		Extensions: outputs,
	}.Marshal()
	if err != nil {
		return nil, err
	}
	signature, err := r.prepared.Sign(ctx, c.Key.Digest(data, in.ClientDataHash))
	if err != nil {
		return nil, err
	}
	event := ctap.AuditProbed
	if in.up {
		event = ctap.AuditUsed
		a.store.Used(c.ID, time.Now())
	}
	a.note(ctx, event, c)
	response := answer(c, z, in, data, signature)
	if in.asked.LargeBlobKey {
		response.LargeBlobKey = c.LargeBlobKey
	}
	return response, nil
}

// answer builds the response (step 13). Names of the user go only where there is
// a choice and the user was verified.
func answer(c *Credential, z *consent.Authorization, in *signIn, data, signature []byte) *ctap.GetAssertionResponse {
	response := &ctap.GetAssertionResponse{
		Credential: &ctap.Descriptor{ID: c.ID, Type: ctap.PublicKeyType},
		AuthData:   data,
		Signature:  signature,
	}
	if c.Discoverable {
		response.User = &ctap.User{ID: c.User.ID}
		if z.UV() && len(in.AllowList) == 0 {
			response.User = &c.User
		}
	}
	return response
}

// GetNextAssertion is authenticatorGetNextAssertion (CTAP 2.3 §6.3).
func (ch *Channel) GetNextAssertion(ctx context.Context) (*ctap.GetAssertionResponse, error) {
	return continued(ctx, ch, "getNextAssertion", func(ctx context.Context) (*ctap.GetAssertionResponse, error) {
		left, ok := ch.take().(*remaining)
		if !ok {
			return nil, ctap.NotAllowed
		}
		response, err := ch.a.silent(ctx, left.request, left.auth, left.rest[0])
		left.rest = left.rest[1:]
		if err != nil || len(left.rest) == 0 {
			left.close()
			return response, err
		}
		ch.leave(left)
		return response, nil
	})
}
