//go:build e2e && linux

package extension_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/test/browser"
)

// registered is an answer of the host's: the page knows it by its ID.
const registered = `{"protocol":1,"result":{"id":"b3Vycw","rawId":"b3Vycw","type":"public-key","authenticatorAttachment":"platform",` +
	`"clientExtensionResults":{},"response":{"clientDataJSON":"e30","attestationObject":"oA","authenticatorData":"AA",` +
	`"transports":["internal"],"publicKeyAlgorithm":-7}}}`

// TestRequests sees a registration reach the host, and one that is the browser's not.
func TestRequests(t *testing.T) {
	l := openLab(t)
	for _, name := range []string{"Chromium", "Firefox"} {
		t.Run(name, func(t *testing.T) {
			s := start(t, name, "./scriptedhost")
			s.script(t, "answer %s", registered)
			p := s.open(t, l.page(""))
			check(t, p.(browser.Keyed).PlugIn(t.Context()))
			wants(t, p, "lab.create()", "ours")
			heard := s.heard(t)
			if len(heard) != 1 {
				t.Fatalf("the host has heard %q", heard)
			}
			var asked struct {
				Op, Origin  string
				CrossOrigin bool
			}
			check(t, json.Unmarshal([]byte(heard[0]), &asked))
			if origin := strings.TrimSuffix(l.page(""), "/page?"); asked.Op != "create" || asked.Origin != origin || asked.CrossOrigin {
				t.Errorf("the host has heard %+v, want a create of %s", asked, origin)
			}
			wants(t, p, `lab.create({authenticatorSelection: {authenticatorAttachment: "cross-platform"}})`, "browser: cross-platform")
			if heard := s.heard(t); heard != nil {
				t.Errorf("of the browser's own the host has heard %q", heard)
			}
		})
	}
}
