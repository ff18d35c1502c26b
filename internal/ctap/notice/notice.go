// Package notice has the words in which a daemon tells what has happened.
//
//	localpasskey agent ──► socket ──► Command ──► daemon
//	                   ◄── notices, as soon as there are any ◄──
//
// Whoever wants to be told asks, on a connection of its own, and is answered when there is
// something: so nothing that a person is asked waits for this, and a program and a daemon
// of which one does not know the command get on as before. It tells the caller's own
// user what the audit trail tells too, and asks for nothing.
//
// It refuses to know how a person is told. Texts in it are of sites and programs: make them
// legible before they are shown.
package notice

import (
	"context"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Command asks for a Response. It is of the socket's vendor commands: see ctap.
const Command ctap.Command = 0x62

// MaxNotices is how many a daemon keeps for those who ask late.
const MaxNotices = 64

// MaxNames is how many lost passkeys are named.
const MaxNames = 100

// Few is how many tries of the PIN are few.
const Few = 3

// Request asks what has happened. Without Wait it is what anybody should know at once, of
// however long ago, and where to go on; with it the answer comes when there is a notice
// after the one of that number.
type Request struct {
	Wait  bool   `cbor:"1,keyasint,omitempty"`
	After uint64 `cbor:"2,keyasint,omitempty"`
}

// Response has notices, oldest first. Last is what the next request comes after. Missed is
// how many went before they were asked for.
type Response struct {
	Last    uint64   `cbor:"1,keyasint,omitempty"`
	Notices []Notice `cbor:"2,keyasint,omitempty"`
	Missed  uint64   `cbor:"3,keyasint,omitempty"`
}

// Kind is what a notice is about.
type Kind string

// Ours: the kinds. Whoever does not know one leaves it out.
const (
	Used Kind = "used" // a passkey was made or used
	PIN  Kind = "pin"  // few tries are left
	Gone Kind = "gone" // the keys are not in the TPM any more
)

// Notice is one thing that happened.
type Notice struct {
	Kind Kind `cbor:"1,keyasint"`
	// Event is the audit trail's, and so are the site, the account, the door and the
	// programs; empty for Gone.
	Event    ctap.AuditEvent `cbor:"2,keyasint,omitempty"`
	RPID     string          `cbor:"3,keyasint,omitempty"`
	Account  string          `cbor:"4,keyasint,omitempty"`
	Door     ctap.Door       `cbor:"5,keyasint,omitempty"`
	Programs []string        `cbor:"6,keyasint,omitempty"`
	// Tries are those of the PIN that are left; at 0 it is locked for good.
	Tries uint `cbor:"7,keyasint,omitempty"`
	// Passkeys is how many are gone. RPIDs and Accounts are those of them, at most
	// MaxNames, whose names can still be read: see Names.
	Passkeys uint     `cbor:"8,keyasint,omitempty"`
	RPIDs    []string `cbor:"9,keyasint,omitempty"`
	Accounts []string `cbor:"10,keyasint,omitempty"`
	// What happened to them, and what to do about it.
	What string `cbor:"11,keyasint,omitempty"`
	Hint string `cbor:"12,keyasint,omitempty"`
}

// Name is a passkey's.
type Name struct{ RPID, Account string }

// Names are those of passkeys that are gone.
func (n *Notice) Names() []Name {
	names := make([]Name, min(len(n.RPIDs), len(n.Accounts)))
	for i := range names {
		names[i] = Name{n.RPIDs[i], n.Accounts[i]}
	}
	return names
}

// Lost asks a daemon what passkeys are gone from its TPM; nil for none, and for a daemon that
// cannot tell.
func Lost(ctx context.Context, a ctap.Authenticator) *Notice {
	r, err := ctap.Call[Response](ctx, a, Command, Request{})
	if err != nil {
		return nil
	}
	for i := range r.Notices {
		if r.Notices[i].Kind == Gone {
			return &r.Notices[i]
		}
	}
	return nil
}
