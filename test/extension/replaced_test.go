//go:build e2e && linux

package extension_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/test/browser"
)

// bank is the site whose passkey the replaced extension is after.
const bank = "https://bank.example"

// said is the program's last word on one message; Gone, that it hung up.
type said struct {
	Browser, Gone bool
	Error         struct{ Name string }
	Result        json.RawMessage
}

// TestReplacedExtension puts another extension in the place of ours, under its ID, which is
// no secret: it says what it likes to the real program, which has the real daemon behind it.
func TestReplacedExtension(t *testing.T) {
	for _, name := range []string{"Chromium", "Firefox"} {
		t.Run(name, func(t *testing.T) {
			s := startWith(t, name, replaced(t, ourDir(t, name)))
			build(t, "../../cmd/localpasskey-browser", filepath.Join(s.host, "host"))
			person, c := s.serve(t)
			s.allow(t, "")
			i := &impostor{s.foreignPage(t), person, c}
			t.Run("other site", i.otherSite)
			t.Run("foreign RP ID", i.foreignRPID)
			t.Run("refused", i.refused)
			t.Run("one yes, one signature", i.oneYes)
			t.Run("other words", i.otherWords)
			t.Run("signals", i.signals)
			t.Run("what it learns", i.learns)
		})
	}
}

// replaced is an extension with the ID of ours, and nothing else of it.
func replaced(t *testing.T, ours string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(ours, "manifest.json"))
	check(t, err)
	var manifest map[string]any
	check(t, json.Unmarshal(content, &manifest))
	foreign := map[string]any{"manifest_version": 3, "name": "LocalPasskey", "version": "9", "permissions": []string{"nativeMessaging"}}
	for _, id := range []string{"key", "browser_specific_settings"} {
		if value, ok := manifest[id]; ok {
			foreign[id] = value
		}
	}
	content, err = json.Marshal(foreign)
	check(t, err)
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "manifest.json"), content, 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "foreign.html"), []byte("<!doctype html><title>foreign</title>"), 0o600))
	return dir
}

// foreignPage opens a page of the extension's, once the browser has it.
func (s *station) foreignPage(t *testing.T) browser.Page {
	t.Helper()
	for end := time.Now().Add(startLimit); ; time.Sleep(100 * time.Millisecond) {
		p := s.extensionPage(t, "foreign.html")
		var there bool
		err := p.Evaluate(t.Context(), `typeof (globalThis.browser ?? globalThis.chrome)?.runtime?.connectNative === "function"`, &there)
		if err == nil && there {
			return p
		}
		check(t, p.Close(t.Context()))
		if time.Now().After(end) {
			t.Fatalf("the browser has no such extension: %v", err)
		}
	}
}

// impostor is the extension at work.
type impostor struct {
	page   browser.Page
	person *ctaptest.Person
	client *ctap.Client
}

// says sends one message, with more in it than the protocol's number, through a port of its own.
func (i *impostor) says(t *testing.T, message map[string]any) (answer said) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	message["protocol"] = 1
	text, err := json.Marshal(message)
	check(t, err)
	var got string
	check(t, i.page.Evaluate(ctx, fmt.Sprintf(`new Promise((resolve) => {
		const port = (globalThis.browser ?? globalThis.chrome).runtime.connectNative("`+hostName+`");
		port.onMessage.addListener((answer) => { if (!answer.asking) { resolve(JSON.stringify(answer)); port.disconnect(); } });
		port.onDisconnect.addListener(() => resolve('{"gone": true}'));
		port.postMessage(%s);
	})`, text), &got))
	check(t, json.Unmarshal([]byte(got), &answer))
	return answer
}

func (i *impostor) create(t *testing.T, origin string) said {
	t.Helper()
	return i.says(t, map[string]any{"op": "create", "origin": origin, "options": map[string]any{
		"rp": map[string]any{"name": "Your bank"}, "user": map[string]any{"id": "dQ", "name": "alice", "displayName": "Alice"},
		"challenge": "AAAA", "pubKeyCredParams": []any{map[string]any{"type": "public-key", "alg": -7}},
		"authenticatorSelection": map[string]any{"residentKey": "required"},
	}})
}

// get asks as weakly as a page can.
func (i *impostor) get(t *testing.T, origin string, more map[string]any) said {
	t.Helper()
	options := map[string]any{"challenge": "AAAA", "userVerification": "discouraged"}
	maps.Copy(options, more)
	return i.says(t, map[string]any{"op": "get", "origin": origin, "options": options})
}

// asked is what the person was asked since the last time: for which RP ID, from which page.
func (i *impostor) asked() (all []string) {
	for _, ask := range i.person.Asked() {
		all = append(all, fmt.Sprintf("%s for %s at %s", ask.Operation, ask.RP.ID, ask.Caller.Page))
	}
	return all
}

// otherSite: the prompt names the site that the extension speaks for, whatever page is in front.
func (i *impostor) otherSite(t *testing.T) {
	if a := i.create(t, bank); a.Result == nil {
		t.Fatalf("%+v", a)
	}
	if asked := i.asked(); len(asked) != 1 || !strings.HasSuffix(asked[0], "for bank.example at "+bank) {
		t.Errorf("the person was asked %q", asked)
	}
}

func (i *impostor) foreignRPID(t *testing.T) {
	for name, more := range map[string]map[string]any{"the bank's": {"rpId": "bank.example"}, "none": nil, "a suffix of all": {"rpId": "example"}} {
		if a := i.get(t, "https://game.example", more); !a.Browser || a.Result != nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if asked := i.asked(); len(asked) != 0 {
		t.Errorf("the person was asked %q", asked)
	}
}

// refused: a no of the person's is a no, however weak a verification was asked for.
func (i *impostor) refused(t *testing.T) {
	i.person.SetTouch(ctaptest.Deny)
	defer i.person.SetTouch(ctaptest.Auto)
	if a := i.get(t, bank, nil); !a.Browser || a.Result != nil {
		t.Errorf("%+v", a)
	}
	i.person.SetTouch(ctaptest.Auto)
	i.person.SetPINs("a guess")
	defer i.person.SetPINs(pin)
	if a := i.get(t, bank, nil); a.Result != nil {
		t.Errorf("without the PIN: %+v", a)
	}
	if asked := i.asked(); len(asked) != 2 {
		t.Errorf("the person was asked %q", asked)
	}
	_, err := i.client.Vendor(t.Context(), ctap.CommandReconnect, nil) // three in a row were wrong
	check(t, err)
}

// oneYes: each signature wants a yes of its own.
func (i *impostor) oneYes(t *testing.T) {
	for range 2 {
		if a := i.get(t, bank, nil); a.Result == nil {
			t.Errorf("%+v", a)
		}
	}
	if asked := i.asked(); len(asked) != 2 {
		t.Errorf("two signatures; the person was asked %q", asked)
	}
}

// otherWords: there is no message for what an extension is not for.
func (i *impostor) otherWords(t *testing.T) {
	for _, op := range []string{"list", "delete", "reset", "setup", "pin", "reconnect", "config", "audit", "vendor"} {
		if a := i.says(t, map[string]any{"op": op, "origin": bank, "options": map[string]any{}}); !a.Browser || a.Result != nil {
			t.Errorf("%s: %+v", op, a)
		}
	}
	if a := i.says(t, map[string]any{"op": "get", "origin": bank, "pin": pin, "options": map[string]any{"challenge": "AAAA"}}); !a.Gone {
		t.Errorf("a PIN in a message: %+v", a)
	}
	if a := i.says(t, map[string]any{"op": "get", "origin": bank, "options": map[string]any{"challenge": "AAAA", "uv": true}}); a.Result != nil {
		t.Errorf("a verification in a message: %+v", a)
	}
	if asked := i.asked(); len(asked) != 0 {
		t.Errorf("the person was asked %q", asked)
	}
}

// signals: with a site's name it can hide that site's passkeys, and delete none.
func (i *impostor) signals(t *testing.T) {
	a := i.says(t, map[string]any{"op": "signalAllAcceptedCredentials", "origin": bank, "options": map[string]any{
		"rpId": "bank.example", "userId": "dQ", "allAcceptedCredentialIds": []string{},
	}})
	if a.Result == nil {
		t.Fatalf("%+v", a)
	}
	passkeys, err := ctap.ReadPasskeys(t.Context(), i.client)
	check(t, err)
	if len(passkeys) != 1 || passkeys[0].RPID != "bank.example" || !passkeys[0].Hidden {
		t.Errorf("there are %+v", passkeys)
	}
}

// learns: without asking anybody it learns how many passkeys there are, in all and for each
// site that it names.
func (i *impostor) learns(t *testing.T) {
	for message, want := range map[string]string{"status": `"passkeys":1`, "count": `{"passkeys":1}`} {
		if a := i.says(t, map[string]any{"op": message, "origin": bank, "options": map[string]any{}}); !strings.Contains(string(a.Result), want) {
			t.Errorf("%s: %+v", message, a)
		}
	}
}
