package authenticator_test

import (
	"errors"
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
)

// crowded is a store with more credentials than it has.
type crowded struct {
	authenticator.Store

	count int
}

func (c *crowded) Count() (int, error) { return c.count, nil }

// A store grows to 100,000 passkeys and no further, whoever asks; those that it has work.
func TestFullStore(t *testing.T) {
	c := &crowded{count: 99_999}
	s := newStack(t, func(config *authenticator.Config) { c.Store, config.Store = config.Store, c })
	s.alwaysUV(t, false)
	p := ctap.Platform{Authenticator: s.Channel(ctap.DoorSocket), Protocol: pinuv.Two}
	_, err := p.Authenticator.MakeCredential(t.Context(), plain("alice"))
	check(t, err)
	c.count++
	if _, err := p.Authenticator.MakeCredential(t.Context(), plain("bob")); !errors.Is(err, ctap.KeyStoreFull) {
		t.Errorf("one more than there may be: %v", err)
	}
	if n, err := s.store.Count(); err != nil || n != 1 {
		t.Errorf("the store has %d, %v", n, err)
	}
	signInFlags(t, p, &ctap.GetAssertionRequest{RPID: rpID, ClientDataHash: hash("sign in")})
}
