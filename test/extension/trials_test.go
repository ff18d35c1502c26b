//go:build e2e && linux

package extension_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/test/browser"
)

// Whose answer a page got; lab.js tells.
const (
	ours   = "ours"
	theirs = "browser: cross-platform" // the browser's own security key
)

// trial is one case, in one browser.
type trial struct {
	*testing.T
	*station
	*lab
}

// trials are the cases that want a scripted host, in their order: those before "host" have
// none that works.
func trials() []struct {
	name string
	run  func(t *trial)
} {
	return []struct {
		name string
		run  func(t *trial)
	}{
		{"host absent", (*trial).hostAbsent},
		{"host forbidden", (*trial).hostForbidden},
		{"host", (*trial).hostWorks},
		{"host faulty", (*trial).hostFaulty},
		{"left to the browser", (*trial).leftToBrowser},
		{"frames", (*trial).frames},
		{"two origins at once", (*trial).twoOrigins},
		{"one request per frame", (*trial).secondRequest},
		{"waiting", (*trial).waiting},
		{"many signals", (*trial).signalsInLine},
		{"abort", (*trial).abort},
		{"hostile page", (*trial).hostilePage},
		{"forged messages", (*trial).forgedMessages},
		{"content security policy", (*trial).policies},
		{"options", (*trial).options},
		{"page functions", (*trial).pageFunctions},
		{"off for a site", (*trial).offForSite},
		{"idle", (*trial).idle},
		{"extension reloaded", (*trial).reloaded},
	}
}

// TestTrials runs every trial in both browsers, side by side, and prints the table.
func TestTrials(t *testing.T) {
	l := openLab(t)
	results := map[string]map[string]string{}
	var mu sync.Mutex
	t.Cleanup(func() {
		for _, one := range trials() {
			t.Logf("| %-24s | %-6s | %-6s |", one.name, results["Chromium"][one.name], results["Firefox"][one.name])
		}
	})
	for _, name := range []string{"Chromium", "Firefox"} {
		results[name] = map[string]string{}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, name)
			build(t, "./scriptedhost", filepath.Join(s.host, "host"))
			for _, one := range trials() {
				passed := t.Run(one.name, func(t *testing.T) { one.run(&trial{t, s, l}) })
				mu.Lock()
				results[name][one.name] = map[bool]string{true: "pass", false: "FAIL"}[passed]
				mu.Unlock()
			}
		})
	}
}

// page opens a page of a site with a security key of the browser's, and the host answering.
func (t *trial) at(site string, headers ...string) browser.Page {
	t.Helper()
	p := t.open(t.T, t.page(site, headers...))
	t.plug(t.T, p)
	t.script(t.T, "answer %s", registered)
	t.heard(t.T)
	return p
}

// wants holds an expression on a page to its value.
func (t *trial) wants(p browser.Page, expression, want string) {
	t.Helper()
	wants(t.T, p, expression, want)
}

// asked is what the host was asked.
type asked struct {
	Op, Origin, TopOrigin string
	CrossOrigin           bool
	Options               json.RawMessage
}

// hears holds the host to one question since the last time, and gives it.
func (t *trial) hears() (a asked) {
	t.Helper()
	heard := t.heard(t.T)
	if len(heard) != 1 {
		t.Fatalf("the host has heard %q", heard)
	}
	check(t.T, json.Unmarshal([]byte(heard[0]), &a))
	return a
}

// hearsNothing holds the host to no question.
func (t *trial) hearsNothing() {
	t.Helper()
	if heard := t.heard(t.T); heard != nil {
		t.Errorf("the host has heard %q", heard)
	}
}

func (t *trial) origin(site string) string {
	return strings.TrimSuffix(t.page(site), "/page?")
}

func (t *trial) hostAbsent() {
	p := t.at("")
	t.wants(p, "lab.create()", theirs)
	t.wants(p, "lab.get()", "NotAllowedError") // the key has no passkey for whoever comes
}

func (t *trial) hostForbidden() {
	t.allow(t.T, "somebody else")
	t.wants(t.at(""), "lab.create()", theirs)
}

func (t *trial) hostWorks() {
	t.allow(t.T, "")
	p := t.at("")
	t.wants(p, "lab.create()", ours)
	if a := t.hears(); a.Op != "create" || a.Origin != t.origin("") || a.CrossOrigin || a.TopOrigin != "" {
		t.Errorf("%+v", a)
	}
	t.wants(p, "lab.get()", ours)
	if a := t.hears(); a.Op != "get" {
		t.Errorf("%+v", a)
	}
}

// hostFaulty: whatever the host does, the page ends with the browser's function, and the
// next request works.
func (t *trial) hostFaulty() {
	p := t.at("")
	for _, fault := range []string{
		"crash", "crash-asking", "junk", "text", "oversize", "silent",
		"answer null", `answer {"protocol":2,"result":{}}`, `answer {"protocol":1}`, `answer {"protocol":1,"result":{"id":1}}`,
	} {
		t.script(t.T, "%s", fault)
		t.wants(p, "lab.create()", theirs)
		t.script(t.T, "answer %s", registered)
		t.wants(p, "lab.create()", ours)
	}
	t.script(t.T, `answer {"protocol":1,"error":{"name":"InvalidStateError","message":"x"}}`)
	t.wants(p, "lab.create()", "InvalidStateError")
	t.script(t.T, `answer {"protocol":1,"error":{"name":"TypeError","message":"x"}}`)
	t.wants(p, "lab.create()", "TypeError")
}

// leftToBrowser: what is the browser's reaches no host.
func (t *trial) leftToBrowser() {
	p := t.at("")
	for _, call := range []string{
		`lab.create({authenticatorSelection: {authenticatorAttachment: "cross-platform"}})`,
		`lab.create({hints: ["security-key"]})`,
	} {
		t.wants(p, call, theirs)
	}
	// Each of these the browser refuses, or waits for what nobody does here.
	for _, call := range []string{
		`lab.create({extensions: {largeBlob: {support: "required"}}})`,
		`lab.within(() => lab.get({}, {mediation: "conditional"}))`,
		`lab.within(() => lab.get({hints: ["hybrid"]}))`,
		`lab.within(() => lab.get({extensions: {appid: location.origin}}))`,
		`lab.create({user: {name: "x", displayName: "x"}})`,
		`lab.create({challenge: "text"})`,
		`lab.told(() => navigator.credentials.create())`,
		`lab.told(() => navigator.credentials.get({password: true}))`,
		`lab.told(() => navigator.credentials.create.call({}, {publicKey: lab.creation()}))`,
	} {
		t.wants(p, call+`.then((got) => got !== "ours")`, "true")
	}
	t.hearsNothing()
}

// frames: the origin is that of the frame, by the browser's word.
func (t *trial) frames() {
	p := t.at("")
	other := t.page("other")
	frame := func(attributes, call string) string {
		return `lab.frame(` + attributes + `).then((f) => ` + call + `)`
	}
	// Of another site: only where the page allows it.
	t.wants(p, frame(`{src: "`+other+`"}`, `lab.within(() => lab.inFrame(f, "create"))`)+`.then((got) => got !== "ours")`, "true")
	t.hearsNothing()
	t.wants(p, frame(`{src: "`+other+`", allow: "publickey-credentials-create; publickey-credentials-get"}`, `lab.inFrame(f, "get")`), ours)
	if a := t.hears(); a.Origin != t.origin("other") || a.TopOrigin != t.origin("") || !a.CrossOrigin {
		t.Errorf("a frame of another site: %+v", a)
	}
	// Of the same: as the page itself, also where the frame has no address.
	for attributes, call := range map[string]string{
		`{src: "` + t.page("") + `"}`: `lab.inFrame(f, "create")`,
		`{srcdoc: "<p>"}`:             `lab.inWindow(f.contentWindow)`,
		`{}`:                          `lab.inWindow(f.contentWindow)`,
	} {
		t.wants(p, frame(attributes, call), ours)
		if a := t.hears(); a.Origin != t.origin("") || a.CrossOrigin {
			t.Errorf("a frame %s: %+v", attributes, a)
		}
	}
	// Sandboxed: of no site.
	t.wants(p, frame(`{sandbox: "allow-scripts", src: "`+t.page("")+`"}`, `lab.within(() => lab.inFrame(f, "create"))`)+`.then((got) => got !== "ours")`, "true")
	t.hearsNothing()
}

// twoOrigins: each gets its own answer, and a page that nobody sees asks nobody.
func (t *trial) twoOrigins() {
	p := t.at("a")
	t.script(t.T, "echo")
	t.wants(p, `lab.frame({src: "`+t.page("b")+`", allow: "publickey-credentials-get"}).then((f) =>
		Promise.all([lab.inFrame(f, "id"), lab.id()])).then((ids) => ids.join())`, hexOf(t.origin("b"))+","+hexOf(t.origin("a")))
	t.heard(t.T)
	seen := t.at("b")
	check(t.T, seen.(browser.Keyed).Front(t.Context()))
	t.wants(p, "lab.within(() => lab.get()).then((got) => got !== 'ours')", "true")
	t.hearsNothing()
	check(t.T, seen.Close(t.Context()))
	check(t.T, p.(browser.Keyed).Front(t.Context()))
	t.wants(p, "lab.get()", ours)
}

// secondRequest: while one is in front of the person, another of the same frame is refused.
func (t *trial) secondRequest() {
	p := t.at("")
	t.script(t.T, "hold")
	t.wants(p, `(() => { globalThis.stop = new AbortController(); globalThis.first = lab.create({}, {signal: stop.signal}); return lab.create(); })()`, "NotAllowedError")
	t.withdrawn(func() { t.wants(p, `(() => { stop.abort(); return first; })()`, "AbortError") })
	t.script(t.T, "answer %s", registered)
	t.wants(p, "lab.create()", ours)
}

// abort: the page gets its own reason, and the host's prompt is withdrawn.
func (t *trial) abort() {
	p := t.at("")
	t.script(t.T, "hold")
	t.wants(p, `(() => { globalThis.stop = new AbortController(); globalThis.first = lab.create({}, {signal: stop.signal}); })()`, "undefined")
	t.withdrawn(func() {
		t.wants(p, `(() => { stop.abort(new RangeError("mine")); return first; })()`, "RangeError")
		t.wants(p, `lab.create({}, {signal: AbortSignal.abort(new RangeError("mine"))})`, "RangeError")
	})
	// A tab that closes withdraws too.
	t.wants(p, `(() => { lab.create(); })()`, "undefined")
	t.withdrawn(func() { check(t.T, p.Close(t.Context())) })
	t.wants(t.at(""), "lab.create()", ours)
}

// withdrawn has a question withdrawn once the scripted host was asked it, and waits until
// the host has seen that.
func (t *trial) withdrawn(withdraw func()) {
	t.Helper()
	if heard := t.hearsNext(); len(heard) != 1 {
		t.Errorf("before the withdrawal the host has heard %q", heard)
	}
	withdraw()
	if heard := t.hearsNext(); !slices.Equal(heard, []string{`"withdrawn"`}) {
		t.Errorf("after the withdrawal the host has heard %q", heard)
	}
}

// hearsNext waits until the host has heard something since the last time, and gives it.
func (t *trial) hearsNext() []string {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if heard := t.heard(t.T); heard != nil {
			return heard
		}
	}
	t.Fatal("the host has heard nothing")
	return nil
}

// hostilePage: a page that has broken what scripts stand on gets its answer, or breaks its
// own call, and nothing else.
func (t *trial) hostilePage() {
	for _, tampering := range []string{
		`Array.prototype[Symbol.iterator] = () => { throw new Error("no"); }`,
		`Object.prototype.then = undefined; Object.prototype.localpasskey = 1; Object.prototype.value = 1; Object.prototype.get = undefined`,
		`MessagePort.prototype.postMessage = MessageChannel = JSON.stringify = JSON.parse = () => { throw new Error("no"); }`,
		`Reflect.apply = Reflect.construct = Function.prototype.call = Function.prototype.apply = () => { throw new Error("no"); }`,
		`String.prototype.charCodeAt = Uint8Array.prototype.set = () => 0; Uint8Array = ArrayBuffer = undefined`,
		`window.postMessage = setTimeout = structuredClone = undefined; AbortSignal.prototype.addEventListener = undefined`,
		`addEventListener("message", (e) => e.stopImmediatePropagation(), true)`,
	} {
		p := t.at("")
		t.wants(p, `(() => { const one = lab.creation(), call = navigator.credentials.create.bind(navigator.credentials); `+tampering+
			`; return call({publicKey: one}).then((c) => c.id, (e) => String(e)); })()`, "b3Vycw")
		if a := t.hears(); a.Origin != t.origin("") {
			t.Errorf("%s: %+v", tampering, a)
		}
		check(t.T, p.Close(t.Context()))
	}
	p := t.at("")
	// Thousands of calls, giant fields: the page's own trouble, and it ends.
	wantsWithin(t.T, startLimit, p, `Promise.all(Array.from({length: 3000}, () => lab.within(() => lab.create()))).then((all) => all.length)`, "3000")
	t.heard(t.T)
	t.wants(p, `lab.within(() => lab.create({rp: {name: "x".repeat(1 << 20)}})).then((got) => got !== "ours")`, "true")
	for _, heard := range t.heard(t.T) {
		if len(heard) > 1<<18 {
			t.Errorf("the host has heard %d bytes", len(heard))
		}
	}
	check(t.T, p.Close(t.Context()))
	t.wants(t.at(""), "lab.create()", ours)
}

// forgedMessages: what a page says to the relay is of that page, whatever it claims.
func (t *trial) forgedMessages() {
	p := t.at("")
	forge := func(hello, first string) string {
		return `lab.forge(` + hello + `, ` + first + `)`
	}
	claim := `{op: "create", origin: "https://bank.example", topOrigin: "https://bank.example", context: {allowed: true, crossOrigin: false}, options: {origin: "https://bank.example", publicKey: 1}}`
	t.wants(p, forge(`{localpasskey: 1}`, claim)+`.then((m) => m.result ? "ours" : "none")`, ours)
	if a := t.hears(); a.Origin != t.origin("") || a.CrossOrigin {
		t.Errorf("%+v", a)
	}
	for _, junk := range []string{`{op: 1}`, `null`, `"x"`, `{op: "create"}`, `{op: "dance", options: {}}`, `{op: "manage", options: {}}`, `{op: "status", options: {}}`, `{op: "count", options: {}}`} {
		t.wants(p, forge(`{localpasskey: 1}`, junk)+`.then((m) => JSON.stringify(m))`, `{"browser":true}`)
	}
	t.hearsNothing()
	// A frame cannot speak through the page around it.
	t.wants(p, `lab.frame({src: "`+t.page("other")+`"}).then((f) => lab.inFrame(f, "forgeParent"))`, "silence")
	t.hearsNothing()
}

// policies: a strict page is served like any other.
func (t *trial) policies() {
	p := t.at("", "Content-Security-Policy", "default-src 'none'; script-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'")
	t.wants(p, "lab.create()", ours)
	p = t.at("", "Permissions-Policy", "publickey-credentials-create=()")
	t.heard(t.T)
	if t.name == "Firefox" {
		return // it does not know the header, and neither do we
	}
	t.wants(p, `lab.within(() => lab.create()).then((got) => got !== "ours")`, "true")
	t.hearsNothing()
}

// options: what the host is told is what the page has said, at the time of the call.
func (t *trial) options() {
	p := t.at("")
	t.wants(p, `(() => {
		const all = new Uint8Array([9, 9, 1, 2, 3, 9]), id = new DataView(all.buffer, 2, 3);
		const call = lab.create({user: {id, name: "ä\ud800", displayName: "d"}, pubKeyCredParams: [{type: "public-key", alg: "-7"}],
			excludeCredentials: [{type: "public-key", id: all.subarray(2, 4)}], timeout: "60000", unheard: 1});
		all.fill(0);
		return call;
	})()`, ours)
	var said struct {
		User struct {
			ID, Name string
		}
		PubKeyCredParams   []struct{ Alg int }
		ExcludeCredentials []struct{ ID string }
		Timeout            int
		Unheard            *int
	}
	check(t.T, json.Unmarshal(t.hears().Options, &said))
	if said.User.ID != "AQID" || said.User.Name != "ä\ufffd" || said.PubKeyCredParams[0].Alg != -7 || said.ExcludeCredentials[0].ID != "AQI" || said.Timeout != 60000 || said.Unheard != nil {
		t.Errorf("%+v", said)
	}
	t.wants(p, `lab.get({extensions: {prf: {eval: {first: lab.bytes(2)}, evalByCredential: {Bwc: {first: lab.bytes(1)}}}}, allowCredentials: [{type: "public-key", id: lab.bytes(2)}]})`, ours)
	if o := string(t.hears().Options); !strings.Contains(o, `"prf":{"eval":{"first":"Bwc"},"evalByCredential":{"Bwc":{"first":"Bw"}}}`) {
		t.Errorf("%s", o)
	}
}

// pageFunctions: objects and functions are as the browser's own.
func (t *trial) pageFunctions() {
	p := t.at("")
	for expression, want := range map[string]string{
		`navigator.credentials.create.name + navigator.credentials.create.length`:                       "create0",
		`Object.keys(globalThis).filter((k) => /passkey/i.test(k)).length`:                              "0",
		`globalThis[Symbol.for("localpasskey")]`:                                                        "undefined",
		`PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable()`:                           "true",
		`PublicKeyCredential.getClientCapabilities().then((c) => c.userVerifyingPlatformAuthenticator)`: "true",
		`navigator.credentials.create({publicKey: lab.creation()}).then((c) => [c instanceof PublicKeyCredential, c.response instanceof AuthenticatorAttestationResponse,
			c.id, new Uint8Array(c.rawId).length, c.type, c.authenticatorAttachment, c.response.getTransports(), c.response.getPublicKeyAlgorithm(), c.response.getAuthenticatorData().byteLength,
			JSON.stringify(c.getClientExtensionResults()), c.toJSON().id].join(" "))`: "true true b3Vycw 4 public-key platform internal -7 1 {} b3Vycw",
		`PublicKeyCredential.signalUnknownCredential({rpId: "localhost", credentialId: "AQ"})`: "undefined",
		`lab.told(() => PublicKeyCredential.signalUnknownCredential({rpId: "localhost"}))`:     "TypeError",
	} {
		t.wants(p, expression, want)
	}
}

// offForSite: what the person has turned off is the browser's, on that site.
func (t *trial) offForSite() {
	p := t.at("off")
	settings := t.extensionPage(t.T, "ui/options.html")
	choose := func(what string) {
		t.Helper()
		t.wants(settings, `(globalThis.browser ?? chrome).storage.local.`+what, "undefined")
		check(t.T, p.(browser.Keyed).Front(t.Context()))
	}
	choose(`set({"site:off.localhost": {off: true}})`)
	t.wants(p, "lab.create()", theirs)
	t.wants(p, `PublicKeyCredential.getClientCapabilities().then((c) => c.userVerifyingPlatformAuthenticator)`, "false")
	choose(`set({"site:off.localhost": {until: Date.now() + 1000}})`)
	time.Sleep(1100 * time.Millisecond)
	t.wants(p, "lab.create()", ours)
	choose(`set({everywhere: {off: true}})`)
	t.wants(p, "lab.create()", theirs)
	choose(`clear()`)
	t.wants(p, "lab.create()", ours)
	check(t.T, settings.Close(t.Context()))
}

// idle: the background is gone by then, and comes back.
func (t *trial) idle() {
	p := t.at("")
	time.Sleep(45 * time.Second)
	t.wants(p, "lab.create()", ours)
}

// reloaded: a page that was open when the extension began anew does not wait for a relay
// that is gone. Firefox puts a new one beside it. Chromium does not bring back an extension
// of its command line, so that the page has the browser's own.
func (t *trial) reloaded() {
	p := t.at("")
	before := t.extensionPage(t.T, "ui/options.html")
	t.wants(before, `(() => { globalThis.before = true; setTimeout(() => (globalThis.browser ?? chrome).runtime.reload(), 100); })()`, "undefined")
	t.goes(before)
	if t.name == "Chromium" {
		t.becomes(p, "lab.create()", theirs)
		return
	}
	t.becomes(p, "lab.create()", ours)
	t.wants(t.at(""), "lab.create()", ours)
}

// goes waits until a page of the extension's that has a mark is gone, or without it: then
// the extension of before is gone too.
func (t *trial) goes(before browser.Page) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // a page that goes may take the answer along
		mark, err := value(ctx, before, "globalThis.before")
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) && mark != "true" {
			return
		}
	}
	t.Fatal("the extension does not begin anew")
}

// becomes waits until an expression on a page has its value.
func (t *trial) becomes(p browser.Page, expression, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		got, err := value(ctx, p, expression)
		if got == want && err == nil {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%s: %q, %v; want %q", expression, got, err, want)
		}
	}
}

func hexOf(text string) string { return fmt.Sprintf("%x", text) }
