package client_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/publicsuffix"

	"github.com/localpasskey/localpasskey/internal/client"
)

func TestEffectiveDomain(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]string{
		"https://example.com":           "example.com",
		"https://example.com:8443":      "example.com",
		"https://xn--bcher-kva.example": "xn--bcher-kva.example",
		"http://localhost:8080":         "localhost",
		"https://localhost":             "localhost",
		"http://a.localhost:1":          "a.localhost",
		"https://münchen.example":       "", // no browser serializes it so
		"https://EXAMPLE.com":           "",
		"https://example.com.":          "",
		"https://example.com/":          "",
		"https://example.com/path":      "",
		"https://user@example.com":      "",
		"https://127.0.0.1":             "",
		"https://127.1":                 "",
		"https://0x7f.1":                "",
		"https://1.0x7f":                "",
		"https://2130706433":            "",
		"https://[::1]":                 "",
		"http://127.0.0.1":              "",
		"http://example.com":            "",
		"http://localhost.example.com":  "",
		"http://notlocalhost":           "",
		"null":                          "",
		"":                              "",
		"file://":                       "",
		"chrome-extension://abc":        "",
		"ftp://example.com":             "",
		"https://":                      "",
		"https://a b":                   "",
		"https://exa\x00mple.com":       "",
		"https://" + strings.Repeat("a.", 130) + "com": "",
	} {
		got, ok := client.EffectiveDomain(origin)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v", origin, got, ok)
		}
	}
}

func TestRPID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ origin, said, want string }{
		{"https://a.b.example.com", "a.b.example.com", "a.b.example.com"},
		{"https://a.b.example.com", "b.example.com", "b.example.com"},
		{"https://a.b.example.com", "example.com", "example.com"},
		{"https://a.b.example.com", "EXAMPLE.com", "example.com"},
		{"https://a.b.example.com", "com", ""},
		{"https://a.b.example.com", "", ""},
		{"https://a.b.example.com", "example.com.", ""},
		{"https://a.b.example.com", ".example.com", ""},
		{"https://a.b.example.com", "ample.com", ""},
		{"https://a.b.example.com", "c.example.com", ""},
		{"https://example.com", "a.example.com", ""},
		{"https://example.com", "example.com:443", ""},
		{"https://example.com", "https://example.com", ""},
		{"https://www.example.co.uk", "co.uk", ""},
		{"https://www.example.co.uk", "example.co.uk", "example.co.uk"},
		{"https://alice.github.io", "github.io", ""},
		{"https://alice.github.io", "alice.github.io", "alice.github.io"},
		{"https://github.io", "github.io", "github.io"}, // its own host, as browsers have it
		{"https://evil.s3.amazonaws.com", "amazonaws.com", ""},
		{"https://evil.us-east-1.compute.amazonaws.com", "compute.amazonaws.com", ""},
		{"https://evil.blob.core.windows.net", "core.windows.net", ""},
		{"https://evil.blob.core.windows.net", "windows.net", ""},
		{"https://evil.a.run.app", "run.app", ""},
		{"https://a.evil.foo.kawasaki.jp", "kawasaki.jp", ""},
		{"https://a.evil.foo.kawasaki.jp", "foo.kawasaki.jp", ""},
		{"https://a.evil.foo.kawasaki.jp", "evil.foo.kawasaki.jp", "evil.foo.kawasaki.jp"},
		{"https://a.city.kawasaki.jp", "city.kawasaki.jp", "city.kawasaki.jp"}, // an exception of the list's
		{"https://x.evil.sch.uk", "sch.uk", ""},
		{"https://www.amazonaws.com", "amazonaws.com", "amazonaws.com"},
		{"https://www.xn--bcher-kva.example", "bücher.example", "xn--bcher-kva.example"},
		{"https://www.xn--bcher-kva.example", "BÜCHER.example", "xn--bcher-kva.example"},
		{"https://127.0.0.1", "127.0.0.1", ""},
		{"https://1.2.3.4", "3.4", ""},
		{"http://localhost:1", "localhost", "localhost"},
		{"http://a.localhost:1", "localhost", ""},
		{"http://a.b.localhost", "b.localhost", "b.localhost"},
	} {
		got, err := client.RPID(client.Page{Origin: c.origin}, &c.said)
		if (err == nil) != (c.want != "") || err == nil && got != c.want {
			t.Errorf("%s for %q: %q, %v", c.origin, c.said, got, err)
		}
	}
	if got, err := client.RPID(client.Page{Origin: "https://a.example.com:1"}, nil); err != nil || got != "a.example.com" {
		t.Errorf("without an RP ID: %q, %v", got, err)
	}
}

func TestRPIDs(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]string{
		"https://a.b.example.co.uk": "a.b.example.co.uk b.example.co.uk example.co.uk",
		"http://localhost:1":        "localhost",
		"https://alice.github.io":   "alice.github.io",
		"null":                      "",
	} {
		if got := strings.Join(client.RPIDs(origin), " "); got != want {
			t.Errorf("%s: %q, want %q", origin, got, want)
		}
	}
}

// FuzzRPID: an RP ID that is allowed is the page's host or a domain above it, in its
// canonical form, with the page's registrable domain in it, and among those that are
// counted.
func FuzzRPID(f *testing.F) {
	f.Add("https://a.example.com", "example.com")
	f.Add("https://bücher.example", "BÜCHER.example")
	f.Add("http://localhost", "localhost")
	f.Add("https://1.2.3.4", "4")
	f.Add("https://evil.s3.amazonaws.com", "amazonaws.com")
	f.Fuzz(func(t *testing.T, origin, said string) {
		got, err := client.RPID(client.Page{Origin: origin}, &said)
		if err != nil {
			return
		}
		host, ok := client.EffectiveDomain(origin)
		if !ok || host != got && !strings.HasSuffix(host, "."+got) {
			t.Errorf("%q may use %q", origin, got)
		}
		if registrable, err := publicsuffix.EffectiveTLDPlusOne(host); host != got && (err != nil || !strings.HasSuffix("."+got, "."+registrable)) {
			t.Errorf("%q may use %q, above %q", origin, got, registrable)
		}
		if !slices.Contains(client.RPIDs(origin), got) {
			t.Errorf("%q may use %q, which is not counted", origin, got)
		}
		if again, err := client.RPID(client.Page{Origin: origin}, &got); err != nil || again != got {
			t.Errorf("%q is not canonical: %q, %v", got, again, err)
		}
	})
}
