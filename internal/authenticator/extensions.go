package authenticator

import (
	"context"
	"errors"

	"github.com/localpasskey/localpasskey/internal/consent"
	"github.com/localpasskey/localpasskey/internal/credential"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/extension"
	"github.com/localpasskey/localpasskey/internal/secret"
)

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

// secrets are the encrypted outputs of hmac-secret, nil for none. Which of the two
// MAC keys answers depends on the UV flag alone.
func (a *Authenticator) secrets(ctx context.Context, c *Credential, z *consent.Authorization, salts *extension.Salts) ([]byte, error) {
	key := &Key{KeySpec: macSpec(c, PINBound), Handle: c.MACWithUV}
	if !z.UV() {
		key = &Key{KeySpec: macSpec(c, PresenceOnly), Handle: c.MACWithoutUV}
	}
	if salts == nil || len(key.Handle) == 0 {
		return nil, nil
	}
	return salts.Answer(func(salt []byte) (secret.Bytes, error) { return a.mac(ctx, key, z, salt) })
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
