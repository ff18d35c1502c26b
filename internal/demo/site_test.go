package demo

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"
)

func newTestSite(t *testing.T) *site {
	t.Helper()
	s, err := openSite(t.Context(), "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSiteIsForThisMachine(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
		if s, err := openSite(t.Context(), address, ""); err == nil {
			t.Errorf("%s: open to the network", address)
			_ = s.close()
		}
	}
}

func TestSiteGuards(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	for name, c := range map[string]struct {
		method, path, host, origin, body string
		want                             int
	}{
		"the page":            {method: "GET", path: "/", want: http.StatusOK},
		"its script":          {method: "GET", path: "/page.js", want: http.StatusOK},
		"its style":           {method: "GET", path: "/style.css", want: http.StatusOK},
		"nothing else":        {method: "GET", path: "/site.go", want: http.StatusNotFound},
		"begin":               {method: "POST", path: "/register/begin", origin: s.origin, want: http.StatusOK},
		"begin by GET":        {method: "GET", path: "/register/begin", want: http.StatusNotFound},
		"another name for us": {method: "GET", path: "/", host: "rebound.example", want: http.StatusMisdirectedRequest},
		"another site":        {method: "POST", path: "/register/begin", origin: "https://evil.example", want: http.StatusForbidden},
		"finish, not begun":   {method: "POST", path: "/signin/finish", body: `{"id":"AA"}`, want: http.StatusBadRequest},
		"not JSON":            {method: "POST", path: "/register/finish", body: `<xml/>`, want: http.StatusBadRequest},
		"too long":            {method: "POST", path: "/register/finish", body: `"` + strings.Repeat("x", maxBodyBytes) + `"`, want: http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request, err := http.NewRequestWithContext(t.Context(), c.method, s.origin+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Host = c.host
			if c.origin != "" {
				request.Header.Set("Origin", c.origin)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			content, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != c.want {
				t.Errorf("%v, %s: %.200s", err, response.Status, content)
			}
			policy := response.Header.Get("Content-Security-Policy")
			if c.want == http.StatusOK && (!strings.HasPrefix(policy, "default-src 'none'; script-src 'self';") || strings.Contains(policy, "unsafe")) {
				t.Errorf("content security policy %q", policy)
			}
		})
	}
}

// The page has no script or style of its own: the policy would not run it.
func TestPageHasNothingInline(t *testing.T) {
	t.Parallel()
	content, err := page.ReadFile("page/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, inline := range []string{"<style", " style=", " onclick=", " onload=", "javascript:"} {
		if bytes.Contains(content, []byte(inline)) {
			t.Errorf("the page has %q", inline)
		}
	}
	if n := bytes.Count(content, []byte("<script")); n != 1 || !bytes.Contains(content, []byte(`<script src="page.js" defer></script>`)) {
		t.Errorf("%d scripts", n)
	}
}

// A challenge is good for one answer.
func TestCeremonyEndsOnce(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	b := &browser{site: s}
	var options creationJSON
	if err := b.post(t.Context(), "/register/begin", nil, &options); err != nil {
		t.Fatal(err)
	}
	if len(options.PublicKey.Challenge) < 16 || options.PublicKey.RP.ID != siteHost || !bytes.Equal(options.PublicKey.User.ID, s.handle) {
		t.Errorf("%+v", options)
	}
	if _, err := s.take(); err != nil {
		t.Error(err)
	}
	if _, err := s.take(); err == nil {
		t.Error("taken twice")
	}
}

func TestBase64URL(t *testing.T) {
	t.Parallel()
	encoded, err := json.Marshal(base64url{0xFB, 0xFF, 0x00})
	if err != nil || string(encoded) != `"-_8A"` {
		t.Errorf("%s, %v", encoded, err)
	}
	for text, ok := range map[string]bool{`"-_8A"`: true, `"-_8"`: true, `"+/8A"`: false, `"-_8A="`: false, `"a"`: false} {
		var b base64url
		if err := json.Unmarshal([]byte(text), &b); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzLoads(f *testing.F) {
	real, err := tpm2.MarshalCommand(tpm2.Load{
		ParentHandle: tpm2.AuthHandle{Handle: srkHandle, Auth: tpm2.PasswordAuth(nil)},
		InPrivate:    tpm2.TPM2BPrivate{Buffer: []byte("private")},
		InPublic:     tpm2.BytesAs2B[tpm2.TPMTPublic]([]byte("public")),
	})
	if err == nil {
		f.Add(real)
	}
	command := []byte{
		0x80, 0x02, 0, 0, 0, 0, 0, 0, 1, 0x57, 0x81, 0, 0, 1, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0,
		0, 3, 'a', 'b', 'c', 0, 2, 'd', 'e',
	}
	f.Add(command)
	f.Add(command[:len(command)-1])
	if key, ok := loads(command); !ok || string(key.private) != "abc" || string(key.public) != "de" {
		f.Fatalf("%q %v", key, ok)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		key, ok := loads(b)
		if ok && 10+4+4+2+len(key.private)+2+len(key.public) > len(b) {
			t.Errorf("%d bytes out of %d", len(key.private)+len(key.public), len(b))
		}
	})
}
