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
	t.hearsLine()
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
	if heard := t.hearsLine(); heard != `"withdrawn"` {
		t.Errorf("the host has heard %q", heard)
	}
	t.script(t.T, "answer %s", registered)
	t.wants(front, "lab.create()", ours) // which is behind the hidden one
	if heard := t.hearsLine(); !strings.Contains(heard, t.origin("a")) {
		t.Errorf("the host has heard %q", heard)
	}
	check(t.T, behind.Close(t.Context()))
}

// signalsInLine: a page that signals much at once has the host asked for one at a time,
// beside a ceremony.
func (t *trial) signalsInLine() {
	const many, each = 4, 500 * time.Millisecond
	p := t.at("")
	t.script(t.T, "echo")
	began := time.Now()
	t.wants(p, `(() => {
		const signals = Array.from({length: 4}, () => PublicKeyCredential.signalUnknownCredential({rpId: location.hostname, credentialId: "AQ"}));
		return Promise.all([lab.id(), ...signals]).then(([id]) => id);
	})()`, hexOf(t.origin("")))
	if took := time.Since(began); took < many*each {
		t.Errorf("%d signals took %s", many, took)
	}
	if heard := t.heard(t.T); len(heard) != many+1 || strings.Count(strings.Join(heard, ""), `"get"`) != 1 {
		t.Errorf("the host has heard %q", heard)
	}
	check(t.T, p.Close(t.Context()))
}

// hearsLine is hearsNext where it is one line.
func (t *trial) hearsLine() string {
	t.Helper()
	heard := t.hearsNext()
	if len(heard) != 1 {
		t.Fatalf("the host has heard %q, want one line", heard)
	}
	return heard[0]
}
