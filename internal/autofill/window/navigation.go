package window

import (
	"net/url"
	"strings"
)

// Decision is what becomes of a wish to go somewhere.
type Decision int

// What can become of it.
const (
	Refuse  Decision = iota // nothing happens
	Show                    // the web view shows it
	Browser                 // the person's browser shows it
)

// Decide tells where an address is shown. fresh is a window of its own (a link with a target, or
// window.open), clicked a link that the person has activated. Only a plain https address goes to the
// browser, and only when the person has done something for it: programs are started by addresses of
// other kinds, and a page that goes somewhere by itself is not ours.
func Decide(address string, fresh, clicked bool) Decision {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.User != nil || u.Opaque != "":
		return Refuse
	case strings.HasPrefix(address, Origin+"/"):
		return Show // in a window of its own too, as far as that goes: none is made
	case u.Scheme == "https" && u.Hostname() != "" && (fresh || clicked):
		return Browser
	default:
		return Refuse
	}
}
