package authenticator

import (
	"context"
	"errors"

	"github.com/localpasskey/localpasskey/internal/consent"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/u2f"
)

var _ ctap.Messenger = (*Channel)(nil)

// U2F tells whether U2F is spoken now.
func (ch *Channel) U2F() bool { return ch.a.u2f.Offered() }

// Message answers a raw U2F request (CTAP 2.3 §11.2.9.1.1).
func (ch *Channel) Message(ctx context.Context, request []byte) ([]byte, error) {
	return serve(ctx, ch, "U2F", func(ctx context.Context) ([]byte, error) {
		if !ch.a.u2f.Offered() {
			return nil, ctap.InvalidCommand
		}
		response, err := ch.a.u2f.Handle(ctx, request)
		ch.a.failed(ctx, "U2F", err)
		return response, nil
	})
}

// bare readies keys that need no verification, for u2f.
type bare struct{ a *Authenticator }

func (b bare) New(ctx context.Context, c *Credential) (u2f.Key, error) {
	return asKey(b.a.prepareNewKey(ctx, c, &consent.Authorization{}))
}

func (b bare) Ready(ctx context.Context, c *Credential) (u2f.Key, error) {
	return asKey(b.a.prepareKey(ctx, &c.Key, &consent.Authorization{}))
}

func asKey(r *ready, err error) (u2f.Key, error) {
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Sign signs with what was readied.
func (r *ready) Sign(ctx context.Context, digest [32]byte) ([]byte, error) {
	return r.prepared.Sign(ctx, digest[:])
}

// room tells whether there is room for one more credential.
func (a *Authenticator) room() error {
	count, err := a.store.Count()
	if err == nil && count >= maxCredentials {
		err = ctap.KeyStoreFull
	}
	return err
}
