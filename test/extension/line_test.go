//go:build e2e && linux

package extension_test

import (
	"strings"
	"time"

	"github.com/localpasskey/localpasskey/test/browser"
)

// waiting: while one page is in front of the person, another waits. It may leave and come
// again; and when its turn comes and it is not to be seen any more, nothing is shown for it.
func (t *trial) waiting() {
	front := t.at("a")
	t.script(t.T, "hold")
	t.wants(front, `(() => { globalThis.stop = new AbortController(); globalThis.first = lab.create({}, {signal: stop.signal}); return 1; })()`, "1")
	t.hearsLines(1)
	behind := t.at("b")
	t.script(t.T, "hold")
	t.wants(behind, `(async () => {
		const stop = new AbortController(), left = lab.create({}, {signal: stop.signal});
		await new Promise((f) => setTimeout(f, 300));
		stop.abort();
		return left;
	})()`, "AbortError")
	t.wants(behind, "lab.within(() => lab.create())", "waits")
	check(t.T, front.(browser.Keyed).Front(t.Context()))
	t.wants(behind, `document.visibilityState`, "hidden")
	t.wants(front, `(() => { stop.abort(); return first; })()`, "AbortError")
	if heard := t.hearsLines(1); heard[0] != `"withdrawn"` {
		t.Errorf("the host has heard %q", heard)
	}
	t.script(t.T, "answer %s", registered)
	t.wants(front, "lab.create()", ours) // which is behind the hidden one
	if heard := t.hearsLines(1); !strings.Contains(heard[0], t.origin("a")) {
		t.Errorf("the host has heard %q", heard)
	}
	check(t.T, behind.Close(t.Context()))
}

// signalsInLine: a page that signals much at once has the host asked for one at a time, and
// keeps nobody from a ceremony.
func (t *trial) signalsInLine() {
	p := t.at("")
	t.script(t.T, "silent")
	t.wants(p, `(() => {
		for (let i = 0; i < 8; i++) PublicKeyCredential.signalUnknownCredential({rpId: location.hostname, credentialId: "AQ"});
		return 1;
	})()`, "1")
	t.hearsLines(1)
	time.Sleep(500 * time.Millisecond) // in which the others would come
	t.hearsNothing()
	t.script(t.T, "answer %s", registered)
	t.wants(t.at(""), "lab.create()", ours)
	check(t.T, p.Close(t.Context()))
}

// hearsLines waits until the host has heard as much, and gives it.
func (t *trial) hearsLines(n int) (heard []string) {
	t.Helper()
	for end := time.Now().Add(patience); len(heard) < n; time.Sleep(20 * time.Millisecond) {
		heard = append(heard, t.heard(t.T)...)
		if time.Now().After(end) {
			t.Fatalf("the host has heard %q, want %d lines", heard, n)
		}
	}
	if len(heard) > n {
		t.Errorf("the host has heard %q, want %d lines", heard, n)
	}
	return heard
}
