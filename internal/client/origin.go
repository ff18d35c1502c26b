package client

import (
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Page is who asks, by the browser's word. Origins are serialized (HTML, "ASCII
// serialization of an origin"). TopOrigin is the origin of the page around this one, where
// CrossOrigin says that it is another.
type Page struct {
	Origin      string
	TopOrigin   string
	CrossOrigin bool
	// Activated: the person has just done something on the page (HTML, "transient activation").
	Activated bool
}

// localhost is a secure context without TLS, with all names below it (Secure Contexts §3.1).
const localhost = "localhost"

// effectiveDomain is the host of an origin that may use passkeys: one of https, or of this
// machine; no IP address, nothing opaque (§5.1.3 step 6).
func effectiveDomain(origin string) (host string, ok bool) {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme+"://"+u.Host != origin {
		return "", false
	}
	host = u.Hostname()
	if canonical, ok := domain(host); !ok || canonical != host {
		return "", false
	}
	return host, u.Scheme == "https" || u.Scheme == "http" && isLocal(host)
}

func isLocal(host string) bool {
	return host == localhost || strings.HasSuffix(host, "."+localhost)
}

// domain gives the canonical form of a domain name: lower case, in ASCII. ok is false for
// what is none, IP addresses and names that end in a dot among them.
func domain(name string) (canonical string, ok bool) {
	canonical, err := idna.Lookup.ToASCII(strings.ToLower(name))
	if err != nil || canonical == "" || len(canonical) > ctap.MaxRPIDBytes || strings.HasSuffix(canonical, ".") {
		return "", false
	}
	last := canonical[strings.LastIndexByte(canonical, '.')+1:]
	if _, err := netip.ParseAddr(canonical); err == nil || isNumber(last) {
		return "", false
	}
	return canonical, true
}

// isNumber tells a last label that makes a host an IPv4 address (URL §3.5): digits, or
// hexadecimal ones after 0x.
func isNumber(label string) bool {
	hex := strings.TrimPrefix(label, "0x")
	if hex == label {
		return label != "" && strings.Trim(label, "0123456789") == ""
	}
	return strings.Trim(hex, "0123456789abcdef") == ""
}

// rpID is the RP ID that the page may use, in canonical form: its own host, or the
// registrable suffix of it that said names (§5.1.3 steps 7–8). What else a browser may
// allow, such as related origins, is the browser's.
func (p *Page) rpID(said *string) (string, error) {
	host, ok := effectiveDomain(p.Origin)
	if !ok {
		return "", ErrBrowser
	}
	if p.CrossOrigin {
		if _, ok := effectiveDomain(p.TopOrigin); !ok {
			return "", ErrBrowser
		}
	}
	if said == nil {
		return host, nil
	}
	id, ok := domain(*said)
	if !ok || !mayUse(host, id) {
		return "", ErrBrowser
	}
	return id, nil
}

// mayUse tells whether a page of host may use the RP ID (HTML, "is a registrable domain
// suffix of or is equal to"): both in canonical form.
func mayUse(host, rpID string) bool {
	if host == rpID {
		return true
	}
	if !strings.HasSuffix(host, "."+rpID) {
		return false
	}
	// A public suffix below another has plain domains in between, which belong to nobody
	// that has a page under the lower one: amazonaws.com above s3.amazonaws.com.
	own, _ := publicsuffix.PublicSuffix(host)
	suffix, _ := publicsuffix.PublicSuffix(rpID)
	return suffix != rpID && !strings.HasSuffix("."+own, "."+rpID)
}

// rpIDs are all that a page of the origin may use, its own host first.
func rpIDs(origin string) []string {
	host, ok := effectiveDomain(origin)
	if !ok {
		return nil
	}
	var all []string
	for id := host; ; {
		if mayUse(host, id) {
			all = append(all, id)
		}
		_, rest, more := strings.Cut(id, ".")
		if !more {
			return all
		}
		id = rest
	}
}
