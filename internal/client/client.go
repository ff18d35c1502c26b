package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/page"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// Client stands between pages and one channel of an authenticator. Its calls come one
// after another.
type Client struct {
	Authenticator ctap.Authenticator
	// Asking, if set, is called when a ceremony is ours and the person may be asked.
	Asking func()
}

// From the specification: §15.1, the range of timeouts.
const (
	minTimeout = 5 * time.Minute
	maxTimeout = 10 * time.Minute
)

// timeout is how long a person gets, whatever the page says; NaN and the like are nothing.
func timeout(milliseconds *float64) time.Duration {
	if milliseconds == nil || !(*milliseconds > 0) {
		return minTimeout
	}
	wanted := min(*milliseconds, float64(maxTimeout/time.Millisecond))
	return max(minTimeout, time.Duration(wanted)*time.Millisecond)
}

// ceremony is one create() or get() that has passed the checks of its origin.
type ceremony struct {
	*Client

	page       *Page
	rpID       string
	info       *ctap.GetInfoResponse
	here       []ctap.Passkey // of the relying party, newest first
	clientData []byte
	hash       []byte
}

// begin checks the origin and the RP ID, and whether the authenticator can work now:
// without a store, a PIN, tries or somebody to ask, the browser has its turn.
func (c *Client) begin(ctx context.Context, p *Page, kind string, rpID *string, challenge []byte) (*ceremony, error) {
	id, err := p.rpID(rpID)
	if err != nil {
		return nil, err
	}
	in := &ceremony{Client: c, page: p, rpID: id}
	if in.info, err = c.Authenticator.GetInfo(ctx); err != nil || !in.info.Options["uv"] {
		return nil, errors.Join(ErrBrowser, err)
	}
	listed, err := ctap.Call[ctap.ListResponse](ctx, c.Authenticator, ctap.CommandList, ctap.ListRequest{RPID: id})
	if err != nil {
		return nil, errors.Join(ErrBrowser, err)
	}
	in.here = listed.Passkeys
	said := page.Announcement{Origin: p.Origin}
	if p.CrossOrigin {
		said.Top = p.TopOrigin
	}
	if err := page.Announce(ctx, c.Authenticator, said); err != nil {
		return nil, errors.Join(ErrBrowser, err)
	}
	in.clientData = webauthn.ClientData{
		Type: kind, Challenge: webauthn.ChallengeText(challenge),
		Origin: p.Origin, CrossOrigin: p.CrossOrigin, TopOrigin: said.Top,
	}.JSON()
	sum := sha256.Sum256(in.clientData)
	in.hash = sum[:]
	return in, nil
}

// asks says that the person may be asked from now on.
func (in *ceremony) asks() {
	if in.Asking != nil {
		in.Asking()
	}
}

// named are the passkeys here that a page's list names; credentials of other types do not
// count.
func (in *ceremony) named(list []descriptor) (found []ctap.Descriptor) {
	for _, d := range list {
		if d.Type == publicKeyType && in.find(d.ID) != nil {
			found = append(found, ctap.Descriptor{ID: d.ID, Type: publicKeyType})
		}
	}
	return found
}

func (in *ceremony) find(id []byte) *ctap.Passkey {
	for i := range in.here {
		if bytes.Equal(in.here[i].CredentialID, id) {
			return &in.here[i]
		}
	}
	return nil
}

// checked reads authenticator data and holds it to what was asked: our own authenticator
// could be another program that answers at its socket.
func (in *ceremony) checked(authData []byte, verification string) (*webauthn.AuthenticatorData, error) {
	data, err := webauthn.ParseAuthenticatorData(authData)
	switch {
	case err != nil:
		return nil, err
	case data.RPIDHash != webauthn.RPIDHash(in.rpID):
		return nil, errors.New("the answer is another relying party's")
	case data.Flags&webauthn.FlagUP == 0, verification == required && data.Flags&webauthn.FlagUV == 0:
		return nil, errors.New("the user was not verified")
	}
	return &data, nil
}

// platform is this side of the PIN protocol, for prf.
func (in *ceremony) platform() ctap.Platform {
	return ctap.Platform{Authenticator: in.Authenticator, Protocol: pinuv.Two}
}

// wantsOther tells hints by which the page would rather have another device.
func wantsOther(hints []string) bool {
	return len(hints) > 0 && (hints[0] == hintKey || hints[0] == hintHybrid)
}

// verified is the option uv for a page's wish (§5.8.6): nil for one who does without.
// What is not known is preferred.
func verified(wish string) *bool {
	if wish == discouraged {
		return nil
	}
	return new(true)
}

// Count is how many passkeys a page of the origin could use.
func (c *Client) Count(ctx context.Context, origin string) (count uint, err error) {
	for _, id := range rpIDs(origin) {
		listed, err := ctap.Call[ctap.ListResponse](ctx, c.Authenticator, ctap.CommandList, ctap.ListRequest{RPID: id})
		if err != nil {
			return 0, err
		}
		count += listed.Total
	}
	return count, nil
}
