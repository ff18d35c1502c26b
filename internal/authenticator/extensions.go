package authenticator

import (
	"context"
	"errors"
	"slices"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/consent"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/credential"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// From the specification: extension identifiers, §12.1, §12.5 and §12.7.
const (
	extCredProtect = "credProtect"
	extHMACSecret  = "hmac-secret"
	extMinPINLen   = "minPinLength"
)

// saltBytes is the length of one hmac-secret salt and output (§12.7).
const saltBytes = 32

// supportedExtensions is what getInfo lists: what this file carries out.
func supportedExtensions() []string { return []string{extCredProtect, extHMACSecret, extMinPINLen} }

// requestedProtection is the credProtect input at registration (§12.1).
func requestedProtection(in ctap.Extensions) (Protection, error) {
	raw, ok := in[extCredProtect]
	if !ok {
		return UVOptional, nil
	}
	var level Protection
	if err := cbor.Unmarshal(raw, &level); err != nil {
		return 0, err
	}
	if level < UVOptional || level > UVRequired {
		return 0, ctap.InvalidOption
	}
	return level, nil
}

// requestedHMACSecret is the hmac-secret input at registration (§12.7).
func requestedHMACSecret(in ctap.Extensions) (wanted bool, err error) {
	if raw, ok := in[extHMACSecret]; ok {
		err = cbor.Unmarshal(raw, &wanted)
	}
	return wanted, err
}

// requestedMinPINLength is the minPinLength input at registration (§12.5).
func requestedMinPINLength(in ctap.Extensions) (wanted bool, err error) {
	if raw, ok := in[extMinPINLen]; ok {
		err = cbor.Unmarshal(raw, &wanted)
	}
	return wanted, err
}

// createMACKeys makes CredRandomWithUV and CredRandomWithoutUV (§12.7). A
// credential bound to the PIN is never used without it, so it has only the first.
func (a *Authenticator) createMACKeys(ctx context.Context, c *Credential) error {
	with, err := a.keys.Create(ctx, macSpec(c, PINBound))
	if err != nil {
		return err
	}
	c.MACWithUV = with.Handle
	if c.Key.Binding == PINBound {
		return nil
	}
	without, err := a.keys.Create(ctx, macSpec(c, PresenceOnly))
	if err != nil {
		return err
	}
	c.MACWithoutUV = without.Handle
	return nil
}

func macSpec(c *Credential, b Binding) KeySpec {
	return KeySpec{Kind: MACKey, Binding: b, RPIDHash: c.Key.RPIDHash}
}

// registrationOutputs are the extension outputs of makeCredential. The least length
// of a PIN is told to those alone whom the settings name.
func registrationOutputs(in ctap.Extensions, c *Credential, s Settings) (cbor.Raw, error) {
	out := map[string]any{}
	wanted, err := requestedMinPINLength(in)
	if err != nil {
		return nil, err
	}
	if wanted && slices.Contains(s.MinPINLengthRPIDs, c.RP.ID) {
		out[extMinPINLen] = s.MinPINLength
	}
	if _, ok := in[extCredProtect]; ok {
		out[extCredProtect] = uint(c.Protection)
	}
	if _, ok := in[extHMACSecret]; ok {
		out[extHMACSecret] = len(c.MACWithUV) > 0
	}
	return encodeOutputs(out)
}

func encodeOutputs(out map[string]any) (cbor.Raw, error) {
	if len(out) == 0 {
		return nil, nil
	}
	return cbor.Marshal(out)
}

// hmacSecretInput is the hmac-secret input at sign-in (§12.7).
type hmacSecretInput struct {
	KeyAgreement *cose.Key      `cbor:"1,keyasint,omitempty"`
	SaltEnc      []byte         `cbor:"2,keyasint,omitempty"`
	SaltAuth     []byte         `cbor:"3,keyasint,omitempty"`
	Protocol     pinuv.Protocol `cbor:"4,keyasint,omitempty"`
}

// salts is a decrypted hmac-secret input: one or two salts and the key their
// outputs go back under. The zero value is no input.
type salts struct {
	shared *pinuv.Shared
	plain  secret.Bytes
}

func (s *salts) wipe() {
	if s != nil {
		s.shared.Wipe()
		s.plain.Wipe()
	}
}

// openSalts checks and decrypts the hmac-secret input, nil where there is none.
func (a *Authenticator) openSalts(in ctap.Extensions) (*salts, error) {
	raw, ok := in[extHMACSecret]
	if !ok {
		return nil, nil
	}
	var input hmacSecretInput
	if err := cbor.Unmarshal(raw, &input); err != nil {
		return nil, err
	}
	if input.KeyAgreement == nil || input.SaltEnc == nil || input.SaltAuth == nil {
		return nil, ctap.MissingParameter
	}
	if input.Protocol == 0 {
		input.Protocol = pinuv.One
	}
	if err := ctap.CheckProtocol(input.Protocol); err != nil {
		return nil, err
	}
	shared, err := a.gate.Decapsulate(input.Protocol, *input.KeyAgreement)
	if err != nil {
		return nil, err
	}
	s := &salts{shared: shared}
	if !shared.Verify(input.SaltEnc, input.SaltAuth) {
		s.wipe()
		return nil, ctap.PINAuthInvalid
	}
	s.plain, err = shared.Decrypt(input.SaltEnc)
	if n := s.plain.Len(); err != nil || n != saltBytes && n != 2*saltBytes {
		s.wipe()
		return nil, ctap.InvalidLength
	}
	return s, nil
}

// assertionOutputs are the extension outputs of getAssertion. Which of the two
// MAC keys answers hmac-secret depends on the UV flag alone.
func (a *Authenticator) assertionOutputs(ctx context.Context, c *Credential, z *consent.Authorization, s *salts) (cbor.Raw, error) {
	key := &Key{KeySpec: macSpec(c, PINBound), Handle: c.MACWithUV}
	if !z.UV() {
		key = &Key{KeySpec: macSpec(c, PresenceOnly), Handle: c.MACWithoutUV}
	}
	if s == nil || len(key.Handle) == 0 {
		return nil, nil
	}
	plain := make([]byte, s.plain.Len())
	defer clear(plain)
	for at := 0; at < len(plain); at += saltBytes {
		out, err := a.mac(ctx, key, z, s.plain.Reveal()[at:at+saltBytes])
		if err != nil {
			return nil, err
		}
		copy(plain[at:], out.Reveal())
		out.Wipe()
	}
	encrypted, err := s.shared.Encrypt(plain)
	if err != nil {
		return nil, err
	}
	return encodeOutputs(map[string]any{extHMACSecret: encrypted})
}

func (a *Authenticator) mac(ctx context.Context, key *Key, z *consent.Authorization, salt []byte) (out secret.Bytes, err error) {
	r, err := a.prepareKey(ctx, key, z)
	if err != nil {
		return out, err
	}
	out, err = r.prepared.MAC(ctx, salt)
	return out, errors.Join(err, r.Close())
}

// named finds those credentials of a relying party that a list names, newest
// first. No hardware is asked.
func (a *Authenticator) named(list []ctap.Descriptor, rpIDHash [32]byte) ([]*Credential, error) {
	var found []*Credential
	for _, d := range list {
		if d.Type == "" || d.ID == nil {
			return nil, ctap.MissingParameter
		}
		if d.Type != ctap.PublicKeyType {
			continue
		}
		c, err := a.store.ByID(d.ID)
		if err != nil {
			return nil, err
		}
		if c != nil && c.Key.RPIDHash == rpIDHash {
			found = append(found, c)
		}
	}
	credential.NewestFirst(found)
	return found, nil
}
