package demand

import (
	"fmt"
	"strconv"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// From the specification: CTAP 2.3 §6.4 and §6.5.1, what a least length can be.
const (
	minPoints = 4
	maxPoints = 63
)

// AlwaysUVHelp says what alwaysUv off means.
const AlwaysUVHelp = `With it on, as it is from the start, every use of a passkey needs the PIN, and the TPM
itself binds each new passkey to it.

Off means that passkeys made FROM THEN ON are presence-only: the TPM signs with them
without the PIN, and only this program's question stands before it. Malware that runs
as you, or root, can use such a passkey without knowing the PIN. A service that asks
for the PIN still gets it, by this program's word alone, and listings name these
passkeys. Passkeys made before stay bound to the PIN; turning it on again does not
bind those made in between: register them anew.

What needs it: programs that know a security key only by touch (U2F, old ssh keys).`

// MinPINLengthHelp says what the least length does.
const MinPINLengthHelp = `The least length of a PIN, in characters, from 4 to 63. It can be raised only; a reset
brings it back to 4. A PIN that is shorter has to be changed before its next use.`

// Change is one change of the settings.
type Change struct {
	Subcommand ctap.ConfigSubcommand // 0: it is so already
	Params     *ctap.MinPINLengthParams
	Done       string // what to say when it is done
}

// Refusal is an argument that cannot be, or cannot be done.
type Refusal struct {
	What, Hint string
	Usage      bool // it cannot be
}

// Error says what is wrong.
func (r *Refusal) Error() string { return r.What }

// AlwaysUV reads on or off.
func AlwaysUV(argument string, info *ctap.GetInfoResponse) (Change, error) {
	words := map[string]string{
		"on":  "The PIN is demanded at every use. Passkeys made while it was not stay presence-only.",
		"off": "The PIN is demanded when a service asks for it. Passkeys made from now on are presence-only.",
	}
	done, ok := words[argument]
	switch {
	case !ok:
		return Change{}, &Refusal{What: "always-uv is on or off, not " + strconv.Quote(argument), Hint: "see `localpasskey config always-uv --help`", Usage: true}
	case info.Options["alwaysUv"] == (argument == "on"):
		return Change{Done: "It is " + argument + " already."}, nil
	}
	return Change{Subcommand: ctap.ToggleAlwaysUV, Done: done}, nil
}

// MinPINLength reads a number of characters.
func MinPINLength(argument string, info *ctap.GetInfoResponse) (Change, error) {
	n, err := strconv.ParseUint(argument, 10, 8)
	if err != nil || n < minPoints || n > maxPoints {
		return Change{}, &Refusal{What: "the least length of a PIN is a number from 4 to 63", Hint: "see `localpasskey config min-pin-length --help`", Usage: true}
	}
	least := uint(n)
	switch {
	case least < info.MinPINLength:
		return Change{}, &Refusal{
			What: fmt.Sprintf("the least length is %d, and cannot be lowered", info.MinPINLength),
			Hint: "only `localpasskey reset` brings it back to 4, and destroys every passkey",
		}
	case least == info.MinPINLength:
		return Change{Done: fmt.Sprintf("It is %d already.", least)}, nil
	}
	return Change{
		Subcommand: ctap.SetMinPINLength, Params: &ctap.MinPINLengthParams{NewMinPINLength: &least},
		Done: fmt.Sprintf("A PIN has at least %d characters now. One that is shorter has to be changed: `localpasskey pin change`.", least),
	}, nil
}
