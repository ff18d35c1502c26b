package demand

import (
	"fmt"
	"strconv"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap/finger"
)

// FingerprintHelp says what it means to let a finger stand for the PIN.
const FingerprintHelp = `Off, as it is from the start, every use needs the PIN typed.

On means that after you have typed the PIN once, a finger on this machine's reader does
the same: for 8 hours, or for as long as you say (30m, 4h, at most 24h), but no longer than
until the screen is locked, another user comes to the front, you log out, the machine
sleeps, or the PIN is changed or mistyped. Then it is the PIN again, once. The prompt always
opens and says what it is for; the PIN still works in it.

A TPM cannot see fingers. So meanwhile the daemon holds what the TPM is shown of the PIN in
its memory, and lets fprintd, the system's service for fingerprints, decide. Until it is
dropped, root can sign with your passkeys without knowing the PIN, and so can whoever
deceives the reader with a copy of your finger. With it off neither can.

Fingers are enrolled with the system: fprintd-enroll, or your desktop's settings. Changing
this setting, and a reset, take the PIN; a finger is not enough.`

// Fingerprint reads on, off or a time; seconds is what to set.
func Fingerprint(argument string, state *finger.State) (seconds uint, done string, err error) {
	switch argument {
	case "off":
	case "on":
		seconds = finger.DefaultSeconds
	default:
		d, err := time.ParseDuration(argument)
		seconds = uint(max(0, d) / time.Second)
		if err != nil || seconds < finger.MinSeconds || seconds > finger.MaxSeconds {
			return 0, "", &Refusal{
				What: "fingerprint is on, off, or a time from 1m to 24h, not " + strconv.Quote(argument),
				Hint: "see `localpasskey config fingerprint --help`", Usage: true,
			}
		}
	}
	switch {
	case state.Unavailable && seconds > 0:
		return 0, "", &Refusal{
			What: "a finger cannot stand for the PIN here",
			Hint: "it takes Linux and the system service, which follows the lock screen: install the package, or `make install`",
		}
	case state.Seconds == seconds:
		return seconds, "It is " + argument + " already.", nil
	case seconds == 0:
		return 0, "Every use needs the PIN typed.", nil
	}
	return seconds, fmt.Sprintf("After the PIN was typed once, a finger stands for it for %s, or until the screen is locked.\n"+
		"What that means is in `localpasskey config fingerprint --help`; whether it works, in `localpasskey doctor`.", Span(seconds)), nil
}

// Span writes whole minutes or hours without what is 0.
func Span(seconds uint) string {
	switch {
	case seconds%3600 == 0:
		return fmt.Sprintf("%d h", seconds/3600)
	case seconds%60 == 0:
		return fmt.Sprintf("%d min", seconds/60)
	default:
		return fmt.Sprintf("%d s", seconds)
	}
}
