//go:build e2e && linux

package extension_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/browsers"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/test/browser"
)

// TestCeremonies has both browsers register and sign in at two relying parties, by what is
// shipped: extension, host, daemon, with keys in a software TPM.
func TestCeremonies(t *testing.T) {
	at := parties(t)
	var mu sync.Mutex
	var told []string
	t.Cleanup(func() {
		t.Logf("what the site receives by way of the extension:\n%s", strings.Join(told, "\n"))
	})
	for _, name := range []string{"Chromium", "Firefox"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := visit(t, name)
			for party, address := range at {
				t.Run(party, func(t *testing.T) {
					rows := v.of(t, address).job(t)
					mu.Lock()
					defer mu.Unlock()
					for _, row := range rows {
						told = append(told, fmt.Sprintf("%-9s %-15s %s", name, party, row))
					}
				})
			}
			t.Run("prf", func(t *testing.T) { v.of(t, at["go-webauthn"]).prf(t) })
			t.Run("refused", func(t *testing.T) { v.of(t, at["go-webauthn"]).refused(t) })
			t.Run("abort", func(t *testing.T) { v.of(t, at["go-webauthn"]).abort(t) })
			t.Run("verification", func(t *testing.T) { v.of(t, at["go-webauthn"]).verification(t) })
			t.Run("signals", func(t *testing.T) { v.of(t, at["simplewebauthn"]).signals(t) })
			t.Run("pages", func(t *testing.T) { v.pages(t, at["go-webauthn"]) })
			t.Run("speed", func(t *testing.T) { v.speed(t, at["go-webauthn"]) })
		})
	}
}

// visitor is a browser with all that is shipped behind it.
type visitor struct {
	*station

	person *ctaptest.Person
	client *ctap.Client
}

func visit(t *testing.T, name string) *visitor {
	t.Helper()
	s := start(t, name)
	build(t, "../../cmd/localpasskey-browser", filepath.Join(s.host, "host"))
	person, client := s.serve(t)
	s.allow(t, "")
	return &visitor{s, person, client}
}

// stay is a page of a relying party.
type stay struct {
	*visitor
	browser.Page

	address string
}

// of opens a page of a relying party that knows nobody here yet.
func (v *visitor) of(t *testing.T, address string) *stay {
	t.Helper()
	p := v.open(t, address)
	v.plug(t, p)
	return &stay{v, p, address}
}

// receipt is what a relying party has learnt.
type receipt struct {
	Account, AAGUID, Format string
	UP, UV, BE, BS          bool
	Counter                 uint32
	Transports              []string
	Error                   string
}

// script is what pages of relying parties do.
const script = `
	const post = async (path, body) => (await (await fetch(path, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body ?? null)})).json());
	const told = async (call) => { try { return await call(); } catch (e) { return {error: e.name ?? String(e)}; } };
	const register = (query, more) => told(async () => {
		const {publicKey} = await post("/register/begin?" + query);
		const made = await navigator.credentials.create({publicKey: {...PublicKeyCredential.parseCreationOptionsFromJSON(publicKey), ...more}});
		globalThis.made = made;
		return {...await post("/register/finish", made.toJSON()), transports: made.response.getTransports()};
	});
	const signIn = (query, more) => told(async () => {
		const {publicKey} = await post("/signin/begin?" + query);
		const got = await navigator.credentials.get({publicKey: {...PublicKeyCredential.parseRequestOptionsFromJSON(publicKey), ...more}});
		globalThis.got = got;
		return post("/signin/finish", got.toJSON());
	});
`

// does runs an expression that gives a receipt.
func (s *stay) does(t *testing.T, expression string) (r receipt) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var text string
	check(t, s.Evaluate(ctx, "(async () => {"+script+" return JSON.stringify(await "+expression+"); })()", &text))
	check(t, json.Unmarshal([]byte(text), &r))
	return r
}

// job is what a person does at a site: register twice, be told that a passkey is here, sign
// in by name and without.
func (s *stay) job(t *testing.T) (rows []string) {
	alice, bob := "alice of "+s.name, "bob of "+s.name
	s.person.Asked()
	for account, conveyance := range map[string]string{alice: "none", bob: "direct"} {
		r := s.does(t, fmt.Sprintf(`register(new URLSearchParams({account: %q, attestation: %q}))`, account, conveyance))
		if r.Error != "" || !r.UP || !r.UV || r.BE || r.BS || r.AAGUID != authenticator.TPMAAGUID().String() {
			t.Fatalf("register with attestation %s: %+v", conveyance, r)
		}
		if want := map[string]string{"none": "none", "direct": "packed"}[conveyance]; r.Format != want {
			t.Errorf("attestation %s: %q", conveyance, r.Format)
		}
		rows = append(rows, fmt.Sprintf("%-7s %-7s %s UV=%t BE=%t BS=%t %s", conveyance, r.Format, r.AAGUID, r.UV, r.BE, r.BS, strings.Join(r.Transports, ",")))
	}
	for _, ask := range s.person.Asked() {
		if ask.Caller.Page != s.address || ask.RP.ID != "localhost" || len(ask.Caller.Programs) < 2 { // host and browser
			t.Errorf("the person was asked %+v", ask)
		}
	}
	if r := s.does(t, fmt.Sprintf(`register(new URLSearchParams({account: %q}))`, alice)); r.Error != "InvalidStateError" {
		t.Errorf("a second passkey of the account: %+v", r)
	}
	first := s.does(t, fmt.Sprintf(`signIn(new URLSearchParams({account: %q}))`, alice))
	second := s.does(t, fmt.Sprintf(`signIn(new URLSearchParams({account: %q}))`, alice))
	if first.Error != "" || first.Account != alice || !second.UV || second.Counter <= first.Counter {
		t.Errorf("sign in: %+v, %+v", first, second)
	}
	seen := map[string]bool{}
	for choice := range 2 {
		s.person.Choose(choice)
		r := s.does(t, `signIn("discoverable=1")`)
		seen[r.Account] = r.Error == "" && r.UV && !r.BE && !r.BS
	}
	s.person.Choose(0)
	if !seen[alice] || !seen[bob] {
		t.Errorf("whoever comes: %v", seen)
	}
	s.forget(t)
	return rows
}

// forget deletes every passkey, so that the next site begins with none.
func (s *stay) forget(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	token, err := ctap.Platform{Authenticator: s.client, Protocol: pinuv.Two}.TokenWithPIN(ctx, secret.Of([]byte(pin)), ctap.PermissionCredentialManagement, "")
	check(t, err)
	all, err := ctap.ReadPasskeys(ctx, s.client)
	check(t, err)
	for _, p := range all {
		_, err := ctap.ManageCredentials(ctx, s.client, token, ctap.DeleteCredential, &ctap.CredentialManagementParams{
			Credential: &ctap.Descriptor{ID: p.CredentialID, Type: ctap.PublicKeyType},
		})
		check(t, err)
	}
}

// prf: outputs are the same in another tab, and others for another passkey.
func (s *stay) prf(t *testing.T) {
	defer s.forget(t)
	const input = `{extensions: {prf: {eval: {first: new Uint8Array([1, 2, 3])}}}}`
	output := func(on *stay, account string) (out string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		check(t, on.Evaluate(ctx, `(async () => {`+script+`
			const {publicKey} = await post("/signin/begin?account=`+account+`");
			const got = await navigator.credentials.get({publicKey: {...PublicKeyCredential.parseRequestOptionsFromJSON(publicKey), ...`+input+`}});
			return Array.from(new Uint8Array(got.getClientExtensionResults().prf.results.first)).join();
		})()`, &out))
		return out
	}
	for _, account := range []string{"p1" + s.name, "p2" + s.name} {
		var enabled bool
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := s.Evaluate(ctx, `(async () => {`+script+`
			const {publicKey} = await post("/register/begin?account=`+account+`");
			const made = await navigator.credentials.create({publicKey: {...PublicKeyCredential.parseCreationOptionsFromJSON(publicKey), extensions: {prf: {}}}});
			const {enabled} = made.getClientExtensionResults().prf;
			const plain = made.toJSON();
			delete plain.clientExtensionResults.prf; // the site has not asked for it
			await post("/register/finish", plain);
			return enabled;
		})()`, &enabled)
		cancel()
		check(t, err)
		if !enabled {
			t.Error("prf is not enabled")
		}
	}
	first := output(s, "p1"+s.name)
	if again := output(s.of(t, s.address), "p1"+s.name); again != first || strings.Count(first, ",") != 31 {
		t.Errorf("in another tab: %q, then %q", first, again)
	}
	check(t, s.Page.(browser.Keyed).Front(t.Context()))
	if other := output(s, "p2"+s.name); other == first {
		t.Error("two passkeys have one output")
	}
}

// refused: who refuses at our prompt gets the browser's own key.
func (s *stay) refused(t *testing.T) {
	s.person.SetTouch(ctaptest.Deny)
	defer s.person.SetTouch(ctaptest.Auto)
	r := s.does(t, `register("account=refuser&attestation=none")`)
	if r.Error != "" || r.AAGUID == authenticator.TPMAAGUID().String() || s.does(t, `told(() => ({account: made.authenticatorAttachment}))`).Account != "cross-platform" {
		t.Errorf("%+v", r)
	}
}

// abort: the page's reason comes back, and the prompt closes.
func (s *stay) abort(t *testing.T) {
	s.person.SetTouch(ctaptest.Hold)
	defer s.person.SetTouch(ctaptest.Auto)
	for len(s.person.Opened()) > 0 {
		<-s.person.Opened()
	}
	var reason string
	check(t, s.Evaluate(t.Context(), `(async () => {`+script+`
		const {publicKey} = await post("/register/begin?account=waiter");
		globalThis.stop = new AbortController();
		globalThis.waiting = navigator.credentials.create({publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey), signal: stop.signal}).then(() => "made", (e) => e.message);
		return "begun";
	})()`, &reason))
	<-s.person.Opened()
	check(t, s.Evaluate(t.Context(), `(async () => { stop.abort(new Error("enough")); return waiting; })()`, &reason))
	if reason != "enough" {
		t.Errorf("rejected with %q", reason)
	}
	s.person.SetTouch(ctaptest.Auto)
	// The daemon serves the next one: the question that was open is closed.
	if r := s.does(t, `register("account=next")`); r.Error != "" {
		t.Errorf("afterwards: %+v", r)
	}
	s.forget(t)
}

// verification: UV is said only where the person was verified.
func (s *stay) verification(t *testing.T) {
	defer s.forget(t)
	ctx := t.Context()
	always := func() {
		token, err := ctap.Platform{Authenticator: s.client, Protocol: pinuv.Two}.TokenWithPIN(ctx, secret.Of([]byte(pin)), ctap.PermissionConfiguration, "")
		check(t, err)
		check(t, ctap.Configure(ctx, s.client, token, ctap.ToggleAlwaysUV, nil))
	}
	always()
	defer always()
	account := "v" + s.name
	if r := s.does(t, `register("account=`+account+`")`); r.Error != "" || !r.UV {
		t.Errorf("required: %+v", r)
	}
	for _, c := range []struct {
		wish string
		uv   bool
	}{{"required", true}, {"preferred", true}, {"discouraged", false}} {
		s.person.Asked()
		r := s.does(t, `signIn("account=`+account+`&verification=`+c.wish+`")`)
		asked := s.person.Asked()
		if r.Error != "" || r.UV != c.uv || len(asked) != 1 || (asked[0].Verify != nil) != c.uv {
			t.Errorf("%s: %+v, asked %+v", c.wish, r, asked)
		}
	}
}

// signals reach the store: what a site does not know is not offered.
func (s *stay) signals(t *testing.T) {
	defer s.forget(t)
	if r := s.does(t, `register("account=s`+s.name+`")`); r.Error != "" {
		t.Fatalf("%+v", r)
	}
	s.does(t, `told(async () => { await PublicKeyCredential.signalUnknownCredential({rpId: "localhost", credentialId: made.id}); return {}; })`)
	all, err := ctap.ReadPasskeys(t.Context(), s.client)
	check(t, err)
	if len(all) != 1 || !all[0].Hidden {
		t.Errorf("%+v", all)
	}
}

// pages shows popup and options, as they are with everything at work.
func (v *visitor) pages(t *testing.T, address string) {
	s := v.of(t, address)
	defer s.forget(t)
	if r := s.does(t, `register("account=shown")`); r.Error != "" {
		t.Fatalf("%+v", r)
	}
	for path, want := range map[string]string{
		"ui/popup.html":   `$("connection").textContent + ", " + $("pin").textContent`,
		"ui/options.html": `$("connection").textContent + ", " + $("pin").textContent + ", " + $("passkeys").textContent`,
	} {
		p := v.extensionPage(t, path)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		var got string
		err := p.Evaluate(ctx, `(async () => {
			const $ = (id) => document.getElementById(id);
			for (let i = 0; i < 400 && document.body.dataset.ready !== "yes"; i++) await new Promise((f) => setTimeout(f, 25));
			return `+want+`;
		})()`, &got)
		cancel()
		check(t, err)
		if !strings.HasPrefix(got, "Connected, set, 8 tries left") {
			t.Errorf("%s: %q", path, got)
		}
		if path == "ui/popup.html" {
			check(t, s.Page.(browser.Keyed).Front(t.Context()))
			reload(t, p)
			wants(t, p, `document.getElementById("host").textContent + ", " + document.getElementById("count").textContent`, "localhost, 1 passkey for this site.")
		}
		v.picture(t, p, path)
		check(t, p.Close(t.Context()))
	}
	v.list(t)
	family := browsers.Family(strings.ToLower(v.name))
	seen, ok, err := browsers.Log{Dir: filepath.Join(v.home, ".local", "state", "localpasskey")}.Last(family)
	if err != nil || !ok || seen.Program == "" {
		t.Errorf("the host has noted %+v, %v, %v", seen, ok, err)
	}
}

// list shows the browser's own page of extensions, which has no error to tell of.
func (v *visitor) list(t *testing.T) {
	t.Helper()
	if v.name != "Chromium" {
		return // whose page is out of a debugger's reach
	}
	p, err := v.browser.Open(t.Context(), "chrome://extensions/?id="+chromiumID)
	check(t, err)
	defer func() { check(t, p.Close(t.Context())) }()
	wants(t, p, `chrome.developerPrivate.getExtensionInfo("`+chromiumID+`").then((e) => [e.name, e.state, e.manifestErrors.length, e.runtimeErrors.length].join())`, "LocalPasskey,ENABLED,0,0")
	v.picture(t, p, "list.html")
}

// picture keeps what a page looks like where LOCALPASSKEY_SCREENSHOTS names a directory.
func (v *visitor) picture(t *testing.T, p browser.Page, path string) {
	t.Helper()
	dir := os.Getenv("LOCALPASSKEY_SCREENSHOTS")
	if dir == "" {
		return
	}
	image, err := p.Screenshot(t.Context())
	check(t, err)
	name := fmt.Sprintf("extension-%s-%s.png", strings.ToLower(v.name), strings.TrimSuffix(filepath.Base(path), ".html"))
	check(t, os.WriteFile(filepath.Join(dir, name), image, 0o600))
}

// speed prints what extension, host and socket add to a ceremony: create() with a passkey
// that is excluded asks the person and no hardware. A scripted person answers at once.
func (v *visitor) speed(t *testing.T, address string) {
	s := v.of(t, address)
	defer s.forget(t)
	if r := s.does(t, `register("account=fast`+v.name+`")`); r.Error != "" {
		t.Fatalf("%+v", r)
	}
	const rounds = 30
	var median float64
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	check(t, s.Evaluate(ctx, fmt.Sprintf(`(async () => {%s
		const {publicKey} = await post("/register/begin?account=fast%s"), all = [];
		for (let i = 0; i < %d; i++) {
			const options = PublicKeyCredential.parseCreationOptionsFromJSON(publicKey), begin = performance.now();
			try { await navigator.credentials.create({publicKey: options}); } catch {}
			all.push(performance.now() - begin);
		}
		return all.sort((a, b) => a - b)[all.length >> 1];
	})()`, script, v.name, rounds), &median))
	inside := v.inside(t, rounds)
	t.Logf("a ceremony that is refused by excludeCredentials, median of %d: %.1f ms in the page, %.1f ms at the socket; extension and host add %.1f ms (aim 25)",
		rounds, median, inside, median-inside)
}

// inside measures the same at the socket, in milliseconds.
func (v *visitor) inside(t *testing.T, rounds int) float64 {
	t.Helper()
	all, err := ctap.ReadPasskeys(t.Context(), v.client)
	check(t, err)
	var exclude []ctap.Descriptor
	for _, p := range all {
		exclude = append(exclude, ctap.Descriptor{ID: p.CredentialID, Type: ctap.PublicKeyType})
	}
	took := make([]time.Duration, 0, rounds)
	for range rounds {
		begin := time.Now()
		_, err := v.client.MakeCredential(t.Context(), &ctap.MakeCredentialRequest{
			ClientDataHash: make([]byte, 32), RP: &ctap.RelyingParty{ID: "localhost"}, User: &ctap.User{ID: []byte{1}, Name: "x"},
			Parameters: []ctap.Parameter{{Algorithm: -7, Type: ctap.PublicKeyType}}, ExcludeList: exclude,
			Options: &ctap.Options{RK: new(true), UV: new(true)},
		})
		if ctap.StatusOf(err) != ctap.CredentialExcluded {
			t.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	return float64(median(took).Microseconds()) / 1000
}
