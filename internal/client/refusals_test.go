package client_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/client"
)

func isBrowsers(err error) bool { return errors.Is(err, client.ErrBrowser) }

func wantException(t *testing.T, err error, name string) {
	t.Helper()
	got, ok := errors.AsType[*client.Exception](err)
	if !ok || got.Name != name {
		t.Errorf("%v, want %s", err, name)
	}
}

// TestUnasked: what the browser serves, and what no page may have, is decided without any
// question to the person.
func TestUnasked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	made, _ := r.register(&account{name: "alice"}, nil)
	r.person.Asked()
	own := []any{map[string]any{"type": "public-key", "id": text(made.ID)}}
	const browser = "the browser"
	set := func(name string, value any) func(map[string]any) {
		return func(o map[string]any) { o[name] = value }
	}
	for name, c := range map[string]struct {
		page   client.Page
		change func(map[string]any)
		want   string
	}{
		"http":                  {client.Page{Origin: "http://login.example.com"}, set("rp", map[string]any{"name": "x"}), browser},
		"opaque":                {client.Page{Origin: "null"}, set("rp", map[string]any{"name": "x"}), browser},
		"opaque top":            {client.Page{Origin: origin, CrossOrigin: true, Activated: true, TopOrigin: "null"}, set("timeout", 1), browser},
		"another site's":        {page(), set("rp", map[string]any{"name": "x", "id": "example.org"}), browser},
		"a public suffix":       {page(), set("rp", map[string]any{"name": "x", "id": "com"}), browser},
		"empty":                 {page(), set("rp", map[string]any{"name": "x", "id": ""}), browser},
		"a security key":        {page(), set("hints", []any{"security-key"}), browser},
		"cross-platform":        {page(), set("authenticatorSelection", map[string]any{"authenticatorAttachment": "cross-platform"}), browser},
		"large blobs":           {page(), set("extensions", map[string]any{"largeBlob": map[string]any{"support": "required"}}), browser},
		"no user ID":            {page(), set("user", map[string]any{"id": "", "name": "", "displayName": ""}), "TypeError"},
		"a long user ID":        {page(), set("user", map[string]any{"id": strings.Repeat("A", 87), "name": "", "displayName": ""}), "TypeError"},
		"RS256 alone":           {page(), set("pubKeyCredParams", []any{map[string]any{"type": "public-key", "alg": -257}}), "NotSupportedError"},
		"no public key":         {page(), set("pubKeyCredParams", []any{map[string]any{"type": "password", "alg": -7}}), "NotSupportedError"},
		"prf by credential":     {page(), set("extensions", map[string]any{"prf": map[string]any{"evalByCredential": map[string]any{}}}), "NotSupportedError"},
		"an unknown protection": {page(), set("extensions", map[string]any{"credentialProtectionPolicy": "much"}), "TypeError"},
	} {
		_, err := r.create(c.page, creation(c.change))
		if c.want == browser && !isBrowsers(err) {
			t.Errorf("create, %s: %v", name, err)
		} else if c.want != browser {
			wantException(t, err, c.want)
		}
	}
	prf := func(by map[string]any) map[string]any {
		return map[string]any{"prf": map[string]any{"evalByCredential": by}}
	}
	salt := map[string]any{"first": "AQ"}
	for name, c := range map[string]struct {
		options map[string]any
		want    string
	}{
		"none of these here":   {map[string]any{"rpId": rpID, "allowCredentials": []any{map[string]any{"type": "public-key", "id": "AQID"}}}, browser},
		"another type":         {map[string]any{"rpId": rpID, "allowCredentials": []any{map[string]any{"type": "secret", "id": text(made.ID)}}}, browser},
		"nothing for the host": {map[string]any{}, browser},
		"hybrid":               {map[string]any{"rpId": rpID, "hints": []any{"hybrid"}}, browser},
		"prf without a list":   {map[string]any{"rpId": rpID, "extensions": prf(map[string]any{text(made.ID): salt})}, "NotSupportedError"},
		"prf of another":       {map[string]any{"rpId": rpID, "allowCredentials": own, "extensions": prf(map[string]any{"AQID": salt})}, "SyntaxError"},
		"prf of no ID":         {map[string]any{"rpId": rpID, "allowCredentials": own, "extensions": prf(map[string]any{"": salt})}, "SyntaxError"},
	} {
		_, err := r.get(page(), c.options)
		if c.want == browser && !isBrowsers(err) {
			t.Errorf("get, %s: %v", name, err)
		} else if c.want != browser {
			wantException(t, err, c.want)
		}
	}
	if asked := r.person.Asked(); len(asked) != 0 || r.asking != 1 {
		t.Errorf("asked %+v", asked)
	}
}

// TestDecode: options are read strictly.
func TestDecode(t *testing.T) {
	t.Parallel()
	for _, words := range []string{
		``, `null null`, `{}{}`, `[]`, `{"challenge":"A"}`, `{"challenge":"AB"}`, `{"challenge":"AA=="}`, `{"challenge":"A+"}`,
		`{"challenge":1}`, `{"unheard":1}`, `{"timeout":"1"}`, `{"hints":"x"}`, `{"rpId":1}`,
	} {
		var o client.RequestOptions
		if err := client.Decode([]byte(words), &o); err == nil {
			t.Errorf("%q is read as %+v", words, o)
		}
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	for milliseconds, want := range map[float64]time.Duration{
		0: 5 * time.Minute, 1: 5 * time.Minute, -1: 5 * time.Minute, 360_000: 6 * time.Minute, 1e18: 10 * time.Minute,
		math.Inf(1): 10 * time.Minute, math.Inf(-1): 5 * time.Minute, math.NaN(): 5 * time.Minute,
	} {
		if got := client.Timeout(&milliseconds); got != want {
			t.Errorf("%v: %v, want %v", milliseconds, got, want)
		}
	}
	if got := client.Timeout(nil); got != 5*time.Minute {
		t.Errorf("none: %v", got)
	}
}

// FuzzOptions: any words are options or an error, and what is read again is the same.
func FuzzOptions(f *testing.F) {
	f.Add([]byte(`{"challenge":"AA","rpId":"example.com","allowCredentials":[{"type":"public-key","id":"AQ","transports":["usb"]}],"extensions":{"prf":{"eval":{"first":"AQ"}}}}`))
	f.Add([]byte(`{"rp":{"name":"x"},"user":{"id":"AQ","name":"","displayName":""},"challenge":"AA","pubKeyCredParams":[{"type":"public-key","alg":-7}],"timeout":1}`))
	f.Fuzz(func(t *testing.T, words []byte) {
		var request client.RequestOptions
		var creation client.CreationOptions
		var signal client.SignalOptions
		for _, into := range []any{&request, &creation, &signal} {
			if client.Decode(words, into) == nil && len(words) < 2 {
				t.Errorf("%q is read as %+v", words, into)
			}
		}
	})
}
