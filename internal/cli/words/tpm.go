package words

import (
	"github.com/localpasskey/localpasskey/internal/cli/exit"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/demand"
)

// TPM is for machines where a daemon has the TPM.
func TPM() Words {
	return Words{
		Short: "Passkeys in this machine's security chip",
		Long:  tpmLong,
		Exits: `Exit codes:
  0  done
  1  failed
  2  wrong usage
  3  no such passkey
  4  refused, or cancelled by you
  5  the daemon, the TPM or the store is not available, or not set up
  6  the PIN is wrong or locked`,
		List: "Lists all passkeys of this machine, without asking for the PIN.",
		ListGone: `When the TPM was cleared or changed, its passkeys cannot be used any more: they are listed as
such as far as their names can still be read, and the command fails.

`,
		Audit:      "The daemon writes down what happens to your passkeys: created, used, refused, renamed,\ndeleted, wrong PINs, a reset.",
		AuditEvent: "only this `event`, such as used, refused, deleted or \"PIN wrong\"",
		Reset:      "Destroy all passkeys and the PIN",
		ResetLong: `Destroys all passkeys and the PIN, in the TPM itself: not even a copy of the store
brings them back. The daemon asks you in its own terminal, with the PIN unless that
is locked.`,
		ResetDone:    "Everything is reset. `localpasskey pin set` sets a new PIN.",
		Config:       "See or change what is demanded: the PIN at every use, its length, a finger for it",
		ConfigLong:   "Shows what is demanded of you, or changes it by knowing the PIN.",
		AlwaysUV:     "Demand the PIN at every use, or when a service asks for it",
		AlwaysUVLong: demand.AlwaysUVHelp,
		AlwaysUVOn:   "on: every use needs the PIN, and the TPM binds new passkeys to it",
		AlwaysUVOff:  "off: new passkeys are presence-only, the TPM signs with them without the PIN",
		VerifiedBy:   "PIN",
		Bound:        "demanded by the TPM: without it the key signs for nobody",
		Unbound:      "demanded by LocalPasskey when the service asks for it; the TPM would sign without it",
		Chip:         "this machine's TPM",
		PINs:         true,
		Said:         tpmSaid,
	}
}

const tpmLong = `Passkeys that are made in this machine's security chip and never leave it.

Private keys are created inside the TPM, and the TPM itself counts PIN attempts:
after 8 wrong ones the passkeys are gone for good. There is no backup and no export,
by design. If this machine dies, its passkeys die with it: register a second
passkey, on another device, at every service you care about.

Begin with

  localpasskey setup

which needs the system's service. To try it without that, run these before, in terminals
that stay open:

  localpasskey daemon --user
  localpasskey agent

If something does not work, localpasskey doctor looks for what stands in the way.`

// tpmSaid is Words.Said.
func tpmSaid(status ctap.Status) *exit.Error {
	switch status {
	case ctap.PINInvalid:
		return &exit.Error{What: "the PIN is wrong", Hint: "`localpasskey pin retries` tells how many tries are left", Code: exit.PIN}
	case ctap.PINAuthBlocked, ctap.UVBlocked:
		return &exit.Error{
			What: "no PIN is taken for now: three in a row were wrong",
			Hint: "`localpasskey reconnect`, then try again with care: `localpasskey pin retries` tells how many tries are left",
			Code: exit.PIN,
		}
	case ctap.PINBlocked:
		return &exit.Error{
			What: "the PIN is locked: 8 wrong ones, and the TPM lets nobody try again",
			Hint: "its passkeys cannot be used any more; `localpasskey reset` begins anew",
			Code: exit.PIN,
		}
	case ctap.PINNotSet:
		return &exit.Error{What: "no PIN is set", Hint: "run `localpasskey pin set`", Code: exit.Failed}
	case ctap.PINPolicyViolation:
		return &exit.Error{What: "this PIN is not allowed", Hint: PINRules, Code: exit.Failed}
	case ctap.OperationDenied:
		return &exit.Error{
			What: "refused",
			Hint: "either you said no, or there is nobody to ask: `localpasskey status` tells where you are asked, and `localpasskey agent` asks in your session",
			Code: exit.Refused,
		}
	case ctap.NotAllowed:
		return &exit.Error{What: "the daemon does not allow this", Hint: "is it yours? The system's service serves those who are logged in (`loginctl`)", Code: exit.Unavailable}
	default:
		return &exit.Error{What: "the daemon answered " + status.Error(), Hint: "its log says why", Code: exit.Failed}
	}
}
