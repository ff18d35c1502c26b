// Package finger has the words in which a client and the daemon speak of fingers that may
// stand for the PIN.
//
//	localpasskey config ──► Request with Seconds, authenticated ──► the setting
//	localpasskey doctor ──► Request without ──► State
//
// It refuses to know readers and what is held.
package finger

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
)

// Command asks or changes. It is of the socket's vendor commands: see ctap.
const Command ctap.Command = 0x58

// Ours: how long a PIN may be held for fingers, in seconds, and how long it is where
// nobody says.
const (
	MinSeconds     = 60
	MaxSeconds     = 24 * 60 * 60
	DefaultSeconds = 8 * 60 * 60
)

// Request changes how long after a PIN a finger may stand for it, 0 for never. Without
// Seconds it asks for the State, and needs no token.
type Request struct {
	Seconds           *uint          `cbor:"1,keyasint,omitempty"`
	PINUVAuthProtocol pinuv.Protocol `cbor:"2,keyasint,omitempty"`
	PINUVAuthParam    []byte         `cbor:"3,keyasint,omitempty"`
}

// Message is what PINUVAuthParam authenticates: after authenticatorConfig (CTAP 2.3
// §6.11) 32 bytes of 0xFF and the command, then the seconds in 8 bytes.
func (r *Request) Message() []byte {
	message := append(bytes.Repeat([]byte{0xFF}, 32), byte(Command))
	if r.Seconds == nil {
		return message
	}
	return binary.BigEndian.AppendUint64(message, uint64(*r.Seconds))
}

// State is how it stands with fingers.
type State struct {
	// Seconds is the setting; 0 for off.
	Seconds uint `cbor:"1,keyasint,omitempty"`
	// Held: a PIN was typed, and a finger may stand for it now.
	Held bool `cbor:"2,keyasint,omitempty"`
	// Enrolled is how many fingers the system knows of the caller.
	Enrolled uint `cbor:"3,keyasint,omitempty"`
	// Problem is why a finger cannot stand for the PIN, although it is on.
	Problem *ctap.Problem `cbor:"4,keyasint,omitempty"`
	// Unavailable: no daemon of this kind offers it.
	Unavailable bool `cbor:"5,keyasint,omitempty"`
}

// Ask tells how it stands. A daemon that has no word for fingers offers none.
func Ask(ctx context.Context, a ctap.Authenticator) *State {
	state, err := ctap.Call[State](ctx, a, Command, nil)
	if err != nil {
		return &State{Unavailable: true}
	}
	return state
}

// Set changes the setting; token has ctap.PermissionConfiguration.
func Set(ctx context.Context, a ctap.Authenticator, token pinuv.Token, seconds uint) error {
	r := Request{Seconds: &seconds, PINUVAuthProtocol: token.Protocol()}
	r.PINUVAuthParam = token.Authenticate(r.Message())
	_, err := ctap.Call[struct{}](ctx, a, Command, r)
	return err
}
