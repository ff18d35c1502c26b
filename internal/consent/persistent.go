package consent

import (
	"crypto/rand"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// valuePersistent is where the persistent token is kept; empty for none.
const valuePersistent = "persistent token"

// persistent is the persistent pinUvAuthToken (§6.5.2.1) and what its holders can
// tell by it (§6.4): whose device this is, and whether passkeys have changed. It
// outlives the power cycle, and ends with the PIN or a reset.
type persistent struct {
	Token      []byte                `cbor:"1,keyasint"`
	Identifier [pinuv.InfoBytes]byte `cbor:"2,keyasint"`
	State      [pinuv.InfoBytes]byte `cbor:"3,keyasint"`
}

// persistent gives the record there is, nil for none.
func (g *Gate) persistent() (*persistent, error) {
	encoded, err := g.Values.Value(valuePersistent)
	if err != nil || len(encoded) == 0 {
		return nil, err
	}
	p := new(persistent)
	if err := cbor.Unmarshal(encoded, p); err != nil {
		return nil, fmt.Errorf("the persistent token: %w", err)
	}
	return p, nil
}

func (g *Gate) putPersistent(p *persistent) error {
	encoded, err := cbor.Marshal(p)
	if err != nil {
		return err
	}
	return g.Values.PutValue(valuePersistent, encoded)
}

// persistentToken gives the token, and makes it for the first who asks.
func (g *Gate) persistentToken(protocol pinuv.Protocol) (pinuv.Token, error) {
	p, err := g.persistent()
	if err == nil && p == nil {
		p = &persistent{Token: pinuv.RandomToken(protocol).Secret().Reveal()}
		_, _ = rand.Read(p.Identifier[:]) // never fails, by its documentation
		_, _ = rand.Read(p.State[:])
		err = g.putPersistent(p)
	}
	if err != nil {
		return pinuv.Token{}, err
	}
	return pinuv.NewToken(protocol, secret.Of(p.Token)), nil
}

// VerifyPersistent tells whether the persistent token made param over message.
func (g *Gate) VerifyPersistent(protocol pinuv.Protocol, param, message []byte) (bool, error) {
	p, err := g.persistent()
	if err != nil || p == nil {
		return false, err
	}
	token := pinuv.NewToken(protocol, secret.Of(p.Token))
	defer token.Wipe()
	return token.Verify(message, param), nil
}

// endPersistent ends the persistent token and gives the record, nil for none, to
// whoever may have to bring it back.
func (g *Gate) endPersistent() (*persistent, error) {
	p, err := g.persistent()
	if err != nil || p == nil {
		return nil, err
	}
	return p, g.Values.PutValue(valuePersistent, nil)
}

// Changing notes that passkeys are about to change. Without a persistent token there
// is nobody who could see it.
func (g *Gate) Changing() error {
	p, err := g.persistent()
	if err != nil || p == nil {
		return err
	}
	_, _ = rand.Read(p.State[:]) // never fails, by its documentation
	return g.putPersistent(p)
}

// Tell adds to info what holders of the persistent token can read; with none there is
// nothing to add.
func (g *Gate) Tell(info *ctap.GetInfoResponse) error {
	p, err := g.persistent()
	if err != nil || p == nil {
		return err
	}
	token := secret.Of(p.Token)
	defer token.Wipe()
	if info.EncIdentifier, err = pinuv.SealInfo(token, pinuv.InfoIdentifier, p.Identifier); err != nil {
		return err
	}
	info.EncCredStoreState, err = pinuv.SealInfo(token, pinuv.InfoCredentialStore, p.State)
	return err
}
