package words

import (
	"github.com/localpasskey/localpasskey/internal/cli/exit"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Enclave is for Macs.
func Enclave() Words {
	return Words{
		Short: "Passkeys in this Mac's Secure Enclave",
		Long:  enclaveLong,
		Exits: `Exit codes:
  0  done
  1  failed
  2  wrong usage
  3  no such passkey
  4  refused, or cancelled by you
  5  the Secure Enclave or the store is not available, or not set up
  6  Touch ID does not know the finger, or is locked`,
		List:       "Lists the passkeys of this program, without asking for a finger. Those of LocalPasskey.app are in\na keychain that it alone can read: its own `list` shows them.",
		Audit:      "What happens to your passkeys is written down: created, used, refused, renamed, deleted,\na reset.",
		AuditEvent: "only this `event`, such as used, refused or deleted",
		Reset:      "Destroy all passkeys",
		ResetLong: `Destroys all passkeys of this program, after a finger on Touch ID. The Secure Enclave forgets
nothing: whoever has an old copy of the store, this Mac and your finger can use it.`,
		ResetDone:  "Everything is reset.",
		Config:     "See or change what is demanded: a finger at every use",
		ConfigLong: "Shows what is demanded of you, or changes it by a finger on Touch ID.",
		AlwaysUV:   "Demand a finger at every use, or when a service asks for it",
		AlwaysUVLong: `With it on, as it is from the start, every use of a passkey needs a finger, and the Secure
Enclave itself demands it of each new passkey.

Off means that passkeys made FROM THEN ON are presence-only: the Secure Enclave signs with
them without a finger, and only this program's question stands before it. Malware that runs
as you can use such a passkey without you. Listings name these passkeys. Passkeys made before
stay as they are; turning it on again does not change those made in between: register
them anew.`,
		AlwaysUVOn:  "on: every use needs a finger, and the Secure Enclave demands it of new passkeys",
		AlwaysUVOff: "off: new passkeys are presence-only, the Secure Enclave signs with them without a finger",
		TurnedOn:    "A finger is demanded at every use. Passkeys made while it was not stay presence-only.",
		TurnedOff:   "A finger is demanded when a service asks for it. Passkeys made from now on are presence-only.",
		VerifiedBy:  "finger",
		Bound:       "demanded by the Secure Enclave: without it the key signs for nobody",
		Unbound:     "demanded by LocalPasskey when the service asks for it; the Secure Enclave would sign without it",
		Chip:        "this Mac's Secure Enclave",
		Said:        enclaveSaid,
	}
}

const enclaveLong = `Passkeys that are made in this Mac's Secure Enclave and never leave it.

Each use takes a finger on Touch ID, which the Secure Enclave itself demands. There is no
backup and no export, by design. If this Mac dies, its passkeys die with it: register a
second passkey, on another device, at every service you care about.

Begin with

  localpasskey setup
  localpasskey browser install

and install the extension in your browser. If something does not work, localpasskey doctor
looks for what stands in the way.`

// enclaveSaid is Words.Said.
func enclaveSaid(status ctap.Status) *exit.Error {
	switch status {
	case ctap.UVInvalid, ctap.PINInvalid, ctap.PUATRequired, ctap.PINAuthInvalid:
		return &exit.Error{What: "the finger was not recognized", Hint: "try again; System Settings > Touch ID & Password knows your fingers", Code: exit.PIN}
	case ctap.UVBlocked, ctap.PINAuthBlocked, ctap.PINBlocked:
		return &exit.Error{What: "Touch ID is locked after too many wrong fingers", Hint: "lock the screen, unlock it with your password, and try again", Code: exit.PIN}
	case ctap.OperationDenied:
		return &exit.Error{What: "refused", Hint: "Touch ID asks again when you try again", Code: exit.Refused}
	case ctap.NotAllowed, ctap.UPRequired:
		return &exit.Error{What: "Touch ID cannot ask now", Hint: "unlock the screen, open the lid, and look at System Settings > Touch ID & Password", Code: exit.Unavailable}
	default:
		return &exit.Error{What: "it did not work: " + status.Error(), Hint: "`localpasskey doctor` looks for what stands in the way", Code: exit.Failed}
	}
}
