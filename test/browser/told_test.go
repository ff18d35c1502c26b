//go:build e2e && linux

package browser_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/demo/site"
	"github.com/localpasskey/localpasskey/test/browser"
)

// told collects what the site was told, by browser and conveyance.
type told struct{ rows []string }

func (w *told) note(browser, conveyance string, o outcome) {
	r := o.Receipt
	w.rows = append(w.rows, fmt.Sprintf("%-9s %-10s %-7s %-15s %s  %-5t %-5t %-5t %-13s %s",
		browser, conveyance, r.Format, r.Attestation, r.AAGUID, r.UV, r.BE, r.BS, strings.Join(o.Transports, ","), o.Attachment))
}

func (w *told) report(t *testing.T) {
	t.Helper()
	t.Logf("what the site was told:\n%-9s %-10s %-7s %-15s %-36s  %-5s %-5s %-5s %-13s %s\n%s",
		"browser", "conveyance", "format", "attestation", "AAGUID", "UV", "BE", "BS", "transports", "attachment", strings.Join(w.rows, "\n"))
}

// model is what a browser lets through of the authenticator's model, by conveyance.
type model struct{ format, attestation, aaguid string }

// noAAGUID is what is left of an AAGUID that a browser has erased.
const noAAGUID = "00000000-0000-0000-0000-000000000000"

// lastOld is the last of the Firefoxes that erase the AAGUID with conveyance none, and
// that take the answer to a sign-in with an account chosen at our prompt (userSelected)
// for a fault. Those after it up to 153 were not tried.
const lastOld = 140

// old tells whether the browser is such a Firefox.
func (v *visitor) old() bool {
	firefox, ok := v.browser.(*browser.Firefox)
	return ok && firefox.Version <= lastOld
}

// lets says what each browser makes of our packed self attestation. With conveyance none
// Chromium erases the AAGUID too, Firefox passes it on; Firefox says "usb" whatever
// transports the authenticator claims.
func (v *visitor) lets(conveyance string) (m model, transports []string) {
	ours := authenticator.TPMAAGUID().String()
	m, transports = model{"packed", "basic_surrogate", ours}, []string{"internal", "usb"}
	if conveyance == "none" {
		m = model{"none", "none", noAAGUID}
	}
	if v.name == "Firefox" {
		transports = []string{"usb"}
		if !v.old() {
			m.aaguid = ours
		}
	}
	return m, transports
}

// wantRegistered holds the outcome of a registration against all that the site should learn.
func (v *visitor) wantRegistered(t *testing.T, account, conveyance string, got outcome) {
	t.Helper()
	m, transports := v.lets(conveyance)
	v.wantReceipt(t, got, site.Receipt{
		Account: account, UP: true, UV: true, AAGUID: m.aaguid, Format: m.format, Attestation: m.attestation,
	})
	if !slices.Equal(got.Transports, transports) {
		t.Errorf("transports %q, wanted %q", got.Transports, transports)
	}
	v.told.note(v.name, conveyance, got)
}

// wantSignedIn holds the outcome of a sign-in against what the site should learn; the site
// knows the AAGUID from the registration.
func (v *visitor) wantSignedIn(t *testing.T, account, conveyance string, got outcome) {
	t.Helper()
	m, _ := v.lets(conveyance)
	v.wantReceipt(t, got, site.Receipt{Account: account, UP: true, UV: true, AAGUID: m.aaguid})
}
