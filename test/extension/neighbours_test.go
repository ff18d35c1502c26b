//go:build e2e && linux

package extension_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/browsers"
	"github.com/localpasskey/localpasskey/test/browser"
)

// What other extensions do to a page's functions, before or after ours.
const (
	// wrapping counts, and goes on to what was there.
	wrapping = `(() => {
		const was = navigator.credentials.create;
		navigator.credentials.create = function (...all) { globalThis.wrapped = (globalThis.wrapped ?? 0) + 1; return was.apply(this, all); };
	})()`
	// locking lets nobody else in.
	locking = `for (const [name, where] of [["create", navigator.credentials], ["create", CredentialsContainer.prototype]])
		Object.defineProperty(where, name, {value: async () => ({id: "theirs"}), configurable: false, writable: false});`
	// listening looks for what ours says to its relay, and answers in its place.
	listening = `addEventListener("message", (e) => { if (e.ports[0]) { globalThis.heard = (globalThis.heard ?? 0) + 1; e.ports[0].postMessage({result: {id: "forged"}}); } }, true);`
)

// neighbour is another extension, which runs that in every page, after ours or before.
func neighbour(t *testing.T, does string, after bool) string {
	t.Helper()
	dir := t.TempDir()
	manifest, err := json.Marshal(map[string]any{
		"manifest_version": 3, "name": "Neighbour", "version": "1", "key": neighbourKey(after),
		"browser_specific_settings": map[string]any{"gecko": map[string]any{"id": "neighbour@tests"}},
		"content_scripts": []any{map[string]any{
			"matches": []string{"<all_urls>"}, "js": []string{"does.js"}, "world": "MAIN", "run_at": "document_start", "all_frames": true,
		}},
	})
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "manifest.json"), manifest, 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "does.js"), []byte(does), 0o600))
	return dir
}

// neighbourKey is a manifest's key by which Chromium gives an ID after ours, or before: in
// the order of IDs it runs extensions in a page. Firefox goes by the order of installation.
func neighbourKey(after bool) string {
	for i := byte(0); ; i++ {
		key := []byte{i}
		hash := sha256.Sum256(key)
		var id []byte
		for _, b := range hash[:16] {
			id = append(id, 'a'+b>>4, 'a'+b&15)
		}
		if (string(id) > browsers.ChromiumID) == after {
			return base64.StdEncoding.EncodeToString(key)
		}
	}
}

// TestNeighbours: other extensions that stand at the same functions, before ours and after.
func TestNeighbours(t *testing.T) {
	l := openLab(t)
	for _, name := range []string{"Chromium", "Firefox"} {
		for _, c := range []struct {
			name, does string
			after      bool
			want       string // of create
		}{
			{"wraps before", wrapping, false, ours},
			{"wraps after", wrapping, true, ours},
			{"locks before", locking, false, "theirs"},
			{"listens before", listening, false, ours},
			{"listens after", listening, true, ours},
		} {
			t.Run(name+" "+c.name, func(t *testing.T) {
				order := []string{neighbour(t, c.does, c.after), ourDir(t, name)}
				if c.after {
					order[0], order[1] = order[1], order[0]
				}
				s := startWith(t, name, order...)
				build(t, "./scriptedhost", filepath.Join(s.host, "host"))
				s.allow(t, "")
				s.script(t, "answer %s", registered)
				p := s.beside(t, l.page(""), c.want == "theirs")
				wants(t, p, `navigator.credentials.create({publicKey: lab.creation()}).then((c) => c.id === "b3Vycw" ? "ours" : c.id)`, c.want)
				if c.want == "theirs" {
					s.saysLockedOut(t, p)
				}
			})
		}
	}
}

// beside opens a page on which ours is at work, and the one that locks, if there is one.
func (s *station) beside(t *testing.T, url string, locked bool) browser.Page {
	t.Helper()
	if !locked {
		return s.open(t, url)
	}
	return s.openWhere(t, url, atWork+` && Object.getOwnPropertyDescriptor(navigator.credentials, "create")?.configurable === false`)
}

// saysLockedOut: the popup says so on that page, once the page has found it out.
func (s *station) saysLockedOut(t *testing.T, p browser.Page) {
	t.Helper()
	const want = "Another extension has taken over passkeys on this page, and lets nobody else in."
	popup := s.extensionPage(t, "ui/popup.html")
	check(t, p.(browser.Keyed).Front(t.Context()))
	for end := time.Now().Add(patience); ; {
		reload(t, popup)
		var said string
		check(t, popup.Evaluate(t.Context(), `document.getElementById("what").textContent`, &said))
		if said == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the popup says %q, want %q", said, want)
		}
	}
}

// reload loads a page of the extension's again: a popup in a tab of its own looks at itself,
// until another tab is in front.
func reload(t *testing.T, p browser.Page) {
	t.Helper()
	check(t, p.Evaluate(t.Context(), `document.body.dataset.old = "yes", setTimeout(() => location.reload(), 0), 1`, nil))
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		var ready bool
		err := p.Evaluate(t.Context(), `document.body?.dataset.ready === "yes" && document.body.dataset.old !== "yes"`, &ready)
		if err == nil && ready {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the page does not come back: %v", err)
		}
	}
}
