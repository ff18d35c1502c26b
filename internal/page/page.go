// Package page tells the authenticator for which web page a browser's program asks, so
// that the person sees it.
//
//	browser's program ──Announce──► Listen ──► Caller.Page of what follows on the channel
//
// It is a hint, as the names of programs are: whoever may connect can say anything. No
// decision is taken by it; the person, the RP ID and the hardware decide.
//
// This package refuses to know what a page may ask: that is the client's to check.
package page

import (
	"context"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Command is ours, of the socket: see Announcement.
const Command ctap.Command = 0x57

// maxOriginBytes is longer than any origin: a scheme, a domain name, a port.
const maxOriginBytes = 300

// Announcement says for which page the channel asks from now on. Origin and Top are
// serialized origins (WebAuthn L3 §5.8.1); Top is "" unless the page around it has
// another. Without an Origin no page asks any more.
type Announcement struct {
	Origin string `cbor:"1,keyasint,omitempty"`
	Top    string `cbor:"2,keyasint,omitempty"`
}

// Announce says on a's channel for which page it asks.
func Announce(ctx context.Context, a ctap.Authenticator, said Announcement) error {
	_, err := ctap.Call[struct{}](ctx, a, Command, said)
	return err
}

// Listen has a channel hear announcements.
func Listen(a ctap.Authenticator) ctap.Authenticator { return &listener{Authenticator: a} }

// listener adds the page to the caller of each request that may ask the person. A
// channel's calls come one after another.
type listener struct {
	ctap.Authenticator

	said Announcement
}

func (l *listener) caller(ctx context.Context) context.Context {
	caller, ok := ctap.CallerFrom(ctx)
	if !ok || l.said.Origin == "" {
		return ctx
	}
	caller.Page, caller.Top = l.said.Origin, l.said.Top
	return ctap.WithCaller(ctx, caller)
}

// Vendor hears an announcement, and passes everything else on.
func (l *listener) Vendor(ctx context.Context, command ctap.Command, params cbor.Raw) (cbor.Raw, error) {
	if command != Command {
		return l.Authenticator.Vendor(ctx, command, params)
	}
	var said Announcement
	if err := cbor.Unmarshal(params, &said); err != nil {
		return nil, err
	}
	if max(len(said.Origin), len(said.Top)) > maxOriginBytes || said.Origin == "" && said.Top != "" {
		return nil, ctap.InvalidParameter
	}
	l.said = said
	return nil, nil
}

// MakeCredential passes the command on, with the page.
func (l *listener) MakeCredential(ctx context.Context, req *ctap.MakeCredentialRequest) (*ctap.MakeCredentialResponse, error) {
	return l.Authenticator.MakeCredential(l.caller(ctx), req)
}

// GetAssertion passes the command on, with the page.
func (l *listener) GetAssertion(ctx context.Context, req *ctap.GetAssertionRequest) (*ctap.GetAssertionResponse, error) {
	return l.Authenticator.GetAssertion(l.caller(ctx), req)
}

// ClientPIN passes the command on, with the page.
func (l *listener) ClientPIN(ctx context.Context, req *ctap.ClientPINRequest) (*ctap.ClientPINResponse, error) {
	return l.Authenticator.ClientPIN(l.caller(ctx), req)
}
