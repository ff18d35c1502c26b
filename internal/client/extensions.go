package client

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// From the specification: extension identifiers of CTAP (CTAP 2.3 §12.1, §12.7, §12.8).
const (
	extCredProtect  = "credProtect"
	extHMACSecret   = "hmac-secret"
	extHMACSecretMC = "hmac-secret-mc"
)

// protections are the values of credentialProtectionPolicy (CTAP 2.3 §12.1).
func protections() map[string]uint {
	return map[string]uint{
		"userVerificationOptional": 1, "userVerificationOptionalWithCredentialIDList": 2, "userVerificationRequired": 3,
	}
}

// registrationInputs are what the authenticator is asked at registration. What the page
// wants and only a browser has is ErrBrowser.
func (in *ceremony) registrationInputs(ctx context.Context, o *inputs) (ctap.Extensions, *salts, error) {
	if o.LargeBlob != nil && o.LargeBlob.Support == required {
		return nil, nil, ErrBrowser
	}
	wanted := map[string]any{}
	if o.ProtectionPolicy != "" {
		level, ok := protections()[o.ProtectionPolicy]
		if !ok {
			return nil, nil, &Exception{typeError, "credentialProtectionPolicy has no such value."}
		}
		wanted[extCredProtect] = level
	}
	var secrets *salts
	if o.PRF != nil {
		if o.PRF.EvalByCredential != nil {
			return nil, nil, &Exception{notSupportedError, "evalByCredential is for signing in."}
		}
		wanted[extHMACSecret] = true
		if o.PRF.Eval != nil {
			var err error
			if secrets, err = in.conceal(ctx, o.PRF.Eval); err != nil {
				return nil, nil, err
			}
			wanted[extHMACSecretMC] = secrets.input
		}
	}
	all, err := encodeInputs(wanted)
	return all, secrets, err
}

// registrationOutputs are what the page is told at registration.
func (in *ceremony) registrationOutputs(o *inputs, data *webauthn.AuthenticatorData, secrets *salts, discoverable bool) (*outputs, error) {
	out := new(outputs)
	if o.CredProps != nil && *o.CredProps {
		out.CredProps = &credProps{RK: discoverable}
	}
	if o.LargeBlob != nil {
		out.LargeBlob = &largeBlob{}
	}
	if o.PRF == nil {
		return out, nil
	}
	said, err := outputsOf(data)
	if err != nil {
		return nil, err
	}
	enabled := false
	if raw, ok := said[extHMACSecret]; ok {
		if err := cbor.Unmarshal(raw, &enabled); err != nil {
			return nil, err
		}
	}
	out.PRF = &prfOutputs{Enabled: &enabled}
	out.PRF.Results, err = secrets.reveal(said[extHMACSecretMC])
	return out, err
}

// checkPRF is what is wrong with evalByCredential before anything is asked (§10.1.4).
func (o *RequestOptions) checkPRF() error {
	prf := o.Extensions.PRF
	if prf == nil || len(prf.EvalByCredential) == 0 {
		return nil
	}
	if len(o.Allow) == 0 {
		return &Exception{notSupportedError, "evalByCredential needs allowCredentials."}
	}
	listed := map[string]bool{}
	for _, d := range o.Allow {
		listed[string(d.ID)] = true
	}
	for key := range prf.EvalByCredential {
		id, err := base64.RawURLEncoding.Strict().DecodeString(key)
		if err != nil || len(id) == 0 || !listed[string(id)] {
			return &Exception{syntaxError, "A key of evalByCredential is not in allowCredentials."}
		}
	}
	return nil
}

// signInInputs are what the authenticator is asked at sign-in.
func (in *ceremony) signInInputs(ctx context.Context, o *inputs, allowed []ctap.Descriptor) (ctap.Extensions, *salts, error) {
	if o.PRF == nil {
		return nil, nil, nil
	}
	chosen := o.PRF.Eval
	if len(allowed) > 0 {
		if own, ok := o.PRF.EvalByCredential[base64.RawURLEncoding.EncodeToString(allowed[0].ID)]; ok {
			chosen = &own
		}
	}
	if chosen == nil {
		return nil, nil, nil
	}
	secrets, err := in.conceal(ctx, chosen)
	if err != nil {
		return nil, nil, err
	}
	all, err := encodeInputs(map[string]any{extHMACSecret: secrets.input})
	return all, secrets, err
}

// signInOutputs are what the page is told at sign-in.
func (in *ceremony) signInOutputs(o *inputs, data *webauthn.AuthenticatorData, secrets *salts) (*outputs, error) {
	out := new(outputs)
	if o.PRF == nil {
		return out, nil
	}
	said, err := outputsOf(data)
	if err != nil {
		return nil, err
	}
	out.PRF = &prfOutputs{}
	out.PRF.Results, err = secrets.reveal(said[extHMACSecret])
	return out, err
}

func encodeInputs(wanted map[string]any) (ctap.Extensions, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	all := ctap.Extensions{}
	for name, value := range wanted {
		raw, err := cbor.Marshal(value)
		if err != nil {
			return nil, err
		}
		all[name] = raw
	}
	return all, nil
}

func outputsOf(data *webauthn.AuthenticatorData) (said ctap.Extensions, err error) {
	if len(data.Extensions) > 0 {
		err = cbor.Unmarshal(data.Extensions, &said)
	}
	return said, err
}

// saltInput is the input of hmac-secret (CTAP 2.3 §12.7).
type saltInput struct {
	KeyAgreement cose.Key       `cbor:"1,keyasint"`
	SaltEnc      []byte         `cbor:"2,keyasint"`
	SaltAuth     []byte         `cbor:"3,keyasint"`
	Protocol     pinuv.Protocol `cbor:"4,keyasint"`
}

// salts are one or two salts on their way to the authenticator, and the key by which
// their outputs come back; nil are none.
type salts struct {
	shared *pinuv.Shared
	input  saltInput
}

// prfContext sets a page's salts apart from those of other programs (§10.1.4).
const prfContext = "WebAuthn PRF\x00"

// outputBytes is the length of one output.
const outputBytes = sha256.Size

// conceal agrees on a key and encrypts the salts of v.
func (in *ceremony) conceal(ctx context.Context, v *values) (*salts, error) {
	shared, request, err := in.platform().Agree(ctx)
	if err != nil {
		return nil, err
	}
	plain := salt(v.First)
	if v.Second != nil {
		plain = append(plain, salt(*v.Second)...)
	}
	enc, err := shared.Encrypt(plain)
	if err != nil {
		shared.Wipe()
		return nil, err
	}
	return &salts{shared, saltInput{*request.KeyAgreement, enc, shared.Authenticate(enc), request.PINUVAuthProtocol}}, nil
}

func salt(input []byte) []byte {
	sum := sha256.Sum256(append([]byte(prfContext), input...))
	return sum[:]
}

// reveal decrypts outputs; nil where the authenticator has given none.
func (s *salts) reveal(raw cbor.Raw) (*values, error) {
	if s == nil || len(raw) == 0 {
		return nil, nil
	}
	var enc []byte
	if err := cbor.Unmarshal(raw, &enc); err != nil {
		return nil, err
	}
	plain, err := s.shared.Decrypt(enc)
	if err != nil {
		return nil, err
	}
	defer plain.Wipe()
	got := append(webauthn.Base64URL(nil), plain.Reveal()...)
	switch len(got) {
	case outputBytes:
		return &values{First: got}, nil
	case 2 * outputBytes:
		second := got[outputBytes:]
		return &values{First: got[:outputBytes], Second: &second}, nil
	}
	return nil, errors.New("an output of hmac-secret has another length")
}

func (s *salts) wipe() {
	if s != nil {
		s.shared.Wipe()
	}
}
