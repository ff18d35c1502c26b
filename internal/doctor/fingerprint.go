package doctor

import (
	"fmt"

	"github.com/localpasskey/localpasskey/internal/ctap/finger"
)

// fingerprint tells whether a finger can stand for the PIN, where that is wanted.
func (d *answers) fingerprint() Finding {
	const check = "fingerprint"
	switch s := d.fingers; {
	case d.status == nil:
		return silent(check)
	case s.Unavailable:
		return notNeeded(check, "every use needs the PIN; a finger can stand for it only with the system service")
	case s.Seconds == 0:
		return notNeeded(check, "off: every use needs the PIN; see `localpasskey config fingerprint --help`")
	case s.Problem != nil:
		return wrong(check, "on, but "+s.Problem.What+": the PIN is asked for as ever", hintOf(s.Problem))
	default:
		return ok(check, fmt.Sprintf("on; fingers of yours that fprintd knows: %d; %s", s.Enrolled, now(s)))
	}
}

// now tells what the next prompt will take.
func now(s *finger.State) string {
	if s.Held {
		return "a finger does now"
	}
	return "the PIN is wanted once first"
}
