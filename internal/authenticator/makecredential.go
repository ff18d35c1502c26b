package authenticator

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/consent"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/credential"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/extension"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// From the specification: attestation statement formats (WebAuthn L3 §8).
const (
	formatPacked = "packed"
	formatNone   = "none"
)

// maxCredentials bounds the store. Ours: listing stays quick far beyond what a
// person collects.
const maxCredentials = 100_000

// dummyRP is what Chromium registers for when it only wants a touch.
const dummyRP = ".dummy"

// MakeCredential is authenticatorMakeCredential (CTAP 2.3 §6.1.2); comments give
// its steps.
func (ch *Channel) MakeCredential(ctx context.Context, req *ctap.MakeCredentialRequest) (*ctap.MakeCredentialResponse, error) {
	return serve(ctx, ch, "makeCredential", func(ctx context.Context) (*ctap.MakeCredentialResponse, error) {
		return ch.a.makeCredential(ctx, req)
	})
}

func (a *Authenticator) makeCredential(ctx context.Context, req *ctap.MakeCredentialRequest) (*ctap.MakeCredentialResponse, error) {
	if consent.WantsTouch(req.PINUVAuthParam) || req.RP != nil && req.RP.ID == dummyRP { // step 1
		return nil, a.gate.Touch(ctx)
	}
	if err := req.Check(); err != nil {
		return nil, err
	}
	uv := &consent.Request{
		Param: req.PINUVAuthParam, Protocol: req.PINUVAuthProtocol, Message: req.ClientDataHash,
		Permission: ctap.PermissionMakeCredential, RPID: req.RP.ID,
	}
	if err := uv.CheckProtocol(); err != nil { // step 2
		return nil, err
	}
	algorithm, err := a.chooseAlgorithm(req.Parameters) // step 3
	if err != nil {
		return nil, err
	}
	discoverable, err := registrationOptions(req.Options, uv) // step 5
	if err != nil {
		return nil, err
	}
	settings, err := a.store.Settings()
	if err != nil {
		return nil, err
	}
	uv.Required = settings.AlwaysUV || a.pin.IsSet() // steps 6–8, makeCredUvNotRqd is false
	if req.EnterpriseAttestation != nil {            // step 9
		return nil, ctap.InvalidParameter
	}
	z, err := a.gate.Authorize(uv) // steps 6–11
	if err != nil {
		return nil, err
	}
	defer z.Release()
	if err := a.refuseExcluded(ctx, req, z); err != nil { // step 12
		return nil, err
	}
	asked, err := extension.ReadRegistration(req.Extensions, discoverable, a.gate.Decapsulate) // step 15
	if err != nil {
		return nil, err
	}
	defer asked.Wipe()
	c := newCredential(req, discoverable, settings, asked) // steps 13, 16
	c.AAGUID, c.Key.Algorithm = a.aaguid, algorithm
	return a.register(ctx, &registration{req, asked, c}, z) // steps 14, 17–19
}

// chooseAlgorithm finds the first that the hardware has in what the RP takes, which comes
// in the RP's order. Entries of other types are passed over (WebAuthn L3 §5.8.2).
func (a *Authenticator) chooseAlgorithm(offered []ctap.Parameter) (cose.Algorithm, error) {
	for _, p := range offered {
		if p.Type == "" || p.Algorithm == 0 {
			return 0, ctap.InvalidCBOR
		}
	}
	for _, p := range offered {
		if p.Type == ctap.PublicKeyType && slices.Contains(a.keys.Algorithms(), p.Algorithm) {
			return p.Algorithm, nil
		}
	}
	return 0, ctap.UnsupportedAlgorithm
}

// registrationOptions is step 5: up cannot be false, and pinUvAuthParam
// overrides uv.
func registrationOptions(o *ctap.Options, uv *consent.Request) (discoverable bool, err error) {
	if o == nil {
		return false, nil
	}
	if o.UP != nil && !*o.UP {
		return false, ctap.InvalidOption
	}
	uv.UV = isTrue(o.UV) && uv.Param == nil
	return isTrue(o.RK), nil
}

func isTrue(b *bool) bool { return b != nil && *b }

// refuseExcluded is step 12. The person is asked before the site learns that a
// credential is here, and whatever the answer, it is the same. One that credProtect
// hides is hidden until our prompt has verified the user: a no is then answered as
// if nothing were here.
func (a *Authenticator) refuseExcluded(ctx context.Context, req *ctap.MakeCredentialRequest, z *consent.Authorization) error {
	named, err := a.named(req.ExcludeList, webauthn.RPIDHash(req.RP.ID))
	if err != nil {
		return err
	}
	excluded := credential.Visible(named, z.Verified(), true)
	hidden := len(excluded) == 0
	if hidden {
		excluded = credential.Visible(named, z.UV(), true)
	}
	if len(excluded) == 0 {
		return nil
	}
	ask := Ask{Operation: OperationExists, RP: *req.RP, Accounts: []ctap.User{excluded[0].User}}
	yes, err := consent.Obtain(ctx, a.gate, z, ask, func(context.Context) (*ready, error) {
		return &ready{pin: a.pin, spec: excluded[0].Key.KeySpec}, nil
	})
	status := ctap.StatusOf(err)
	if err != nil && (hidden || status != ctap.OperationDenied && status != ctap.UserActionTimeout) {
		return err
	}
	return errors.Join(ctap.CredentialExcluded, yes.Use.Close())
}

// registration is a makeCredential request that has been checked, and the credential
// it makes.
type registration struct {
	*ctap.MakeCredentialRequest
	asked *extension.Registration
	made  *Credential
}

// newCredential makes the record of a credential, still without keys.
func newCredential(req *ctap.MakeCredentialRequest, discoverable bool, s Settings, asked *extension.Registration) *Credential {
	c := &Credential{
		ID:                secret.Random(credential.IDBytes).Reveal(),
		RP:                ctap.RelyingParty{ID: req.RP.ID, Name: credential.CutName(req.RP.Name)},
		User:              ctap.User{ID: req.User.ID, Name: credential.CutName(req.User.Name), DisplayName: credential.CutName(req.User.DisplayName)},
		Discoverable:      discoverable,
		Protection:        asked.Protection,
		Blob:              asked.Blob,
		ThirdPartyPayment: asked.ThirdPartyPayment,
		Created:           time.Now(),
	}
	if asked.LargeBlobKey {
		c.LargeBlobKey = secret.Random(extension.LargeBlobKeyBytes).Reveal()
	}
	c.Key.KeySpec = KeySpec{Kind: SigningKey, Binding: PresenceOnly, RPIDHash: webauthn.RPIDHash(req.RP.ID)}
	if s.AlwaysUV || asked.Protection == UVRequired {
		c.Key.Binding = PINBound
	}
	return c
}

// register asks, signs, stores and answers (steps 14, 17–19).
func (a *Authenticator) register(ctx context.Context, req *registration, z *consent.Authorization) (*ctap.MakeCredentialResponse, error) {
	c, format := req.made, attestationFormat(req.AttestationFormatsPreference)
	if c.Key.Binding == PINBound && !z.UV() {
		format = formatNone // the key cannot sign before there is a PIN
	}
	replaced, err := a.makeRoom(c)
	if err != nil {
		return nil, err
	}
	ask := Ask{Operation: OperationRegister, RP: *req.RP, Accounts: []ctap.User{c.User}, Replaces: len(replaced) > 0}
	yes, err := consent.Obtain(ctx, a.gate, z, ask, func(ctx context.Context) (*ready, error) {
		return a.prepareRegistration(ctx, c, z, req.asked, format == formatPacked)
	})
	if err != nil {
		return nil, err
	}
	response, err := a.attest(ctx, req, z, yes.Use, format)
	if err = errors.Join(err, yes.Use.Close()); err != nil {
		return nil, err
	}
	if err := a.store.Put(c, replaced...); err != nil {
		return nil, err
	}
	if len(replaced) > 0 {
		a.note(ctx, ctap.AuditReplaced, c)
	}
	a.note(ctx, ctap.AuditCreated, c)
	return response, nil
}

// prepareRegistration makes the keys while the person is asked: a key that is
// never stored is gone. The key that signs comes last, to be loaded for no other
// command than its own.
func (a *Authenticator) prepareRegistration(ctx context.Context, c *Credential, z *consent.Authorization, asked *extension.Registration, sign bool) (*ready, error) {
	if asked.HMACSecret {
		if err := a.createMACKeys(ctx, c); err != nil {
			return nil, err
		}
	}
	if sign || asked.Salts != nil && z.NeedsExchange() { // the exchange needs a use, of whatever key
		return a.prepareNewKey(ctx, c, z)
	}
	key, err := a.keys.Create(ctx, c.Key.KeySpec)
	if err != nil {
		return nil, err
	}
	c.Key = *key
	return &ready{pin: a.pin, spec: c.Key.KeySpec}, nil
}

// makeRoom finds the discoverable credential of the same account, which the new
// one overwrites (step 17), or else checks that there is room for one more.
func (a *Authenticator) makeRoom(c *Credential) ([][]byte, error) {
	if c.Discoverable {
		if same, err := a.sameAccount(c); err != nil || len(same) > 0 {
			return same, err
		}
	}
	return nil, a.room()
}

// sameAccount finds the discoverable credentials of c's account.
func (a *Authenticator) sameAccount(c *Credential) ([][]byte, error) {
	all, err := a.store.ByRP(c.Key.RPIDHash)
	if err != nil {
		return nil, err
	}
	var ids [][]byte
	for _, old := range all {
		if old.Discoverable && slices.Equal(old.User.ID, c.User.ID) {
			ids = append(ids, old.ID)
		}
	}
	return ids, nil
}

// attestationFormat picks the first format of the preference that there is;
// without a preference it is packed, as libfido2 and ssh demand.
func attestationFormat(preference []string) string {
	for _, f := range preference {
		if f == formatPacked || f == formatNone {
			return f
		}
	}
	return formatPacked
}

// attest makes the attestation object (WebAuthn L3 §6.5, §8.2): with format
// packed, self attestation by the credential's own key.
func (a *Authenticator) attest(ctx context.Context, req *registration, z *consent.Authorization, r *ready, format string) (*ctap.MakeCredentialResponse, error) {
	settings, err := a.store.Settings()
	if err != nil {
		return nil, err
	}
	c := req.made
	secrets, err := a.secrets(ctx, c, z, req.asked.Salts)
	if err != nil {
		return nil, err
	}
	outputs, err := req.asked.Outputs(c, extension.PINLength{Least: settings.MinPINLength, RPIDs: settings.MinPINLengthRPIDs}, secrets)
	if err != nil {
		return nil, err
	}
	data, err := webauthn.AuthenticatorData{
		RPIDHash:   c.Key.RPIDHash,
		Flags:      flags(true, z.UV()) | c.Backup,
		Attested:   &webauthn.AttestedCredential{AAGUID: c.AAGUID, CredentialID: c.ID, PublicKey: c.Key.Public},
		Extensions: outputs,
	}.Marshal()
	if err != nil {
		return nil, err
	}
	response := &ctap.MakeCredentialResponse{Format: format, AuthData: data, LargeBlobKey: c.LargeBlobKey}
	if format == formatNone {
		response.Statement, err = cbor.Marshal(struct{}{})
		return response, err
	}
	signature, err := r.prepared.Sign(ctx, c.Key.Digest(data, req.ClientDataHash))
	if err != nil {
		return nil, err
	}
	response.Statement, err = cbor.Marshal(webauthn.PackedStatement{Algorithm: c.Key.Public.Algorithm, Signature: signature})
	return response, err
}

func flags(up, uv bool) (f webauthn.Flags) {
	if up {
		f |= webauthn.FlagUP
	}
	if uv {
		f |= webauthn.FlagUV
	}
	return f
}
