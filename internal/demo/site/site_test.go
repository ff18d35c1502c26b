package site

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

func newTestSite(t *testing.T) *Site {
	t.Helper()
	s, err := Open(t.Context(), "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSiteIsForThisMachine(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
		if s, err := Open(t.Context(), address, ""); err == nil {
			t.Errorf("%s: open to the network", address)
			_ = s.Close(t.Context())
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
		"begin":               {method: "POST", path: "/register/begin", origin: s.Origin, want: http.StatusOK},
		"odd verification":    {method: "POST", path: "/register/begin?verification=some", want: http.StatusBadRequest},
		"odd attestation":     {method: "POST", path: "/signin/begin?attestation=enterprise", want: http.StatusBadRequest},
		"nobody":              {method: "POST", path: "/signin/begin?account=nobody", want: http.StatusBadRequest},
		"a long name":         {method: "POST", path: "/register/begin?account=" + strings.Repeat("x", maxNameBytes+1), want: http.StatusBadRequest},
		"begin by GET":        {method: "GET", path: "/register/begin", want: http.StatusNotFound},
		"another name for us": {method: "GET", path: "/", host: "rebound.example", want: http.StatusMisdirectedRequest},
		"another site":        {method: "POST", path: "/register/begin", origin: "https://evil.example", want: http.StatusForbidden},
		"finish, not begun":   {method: "POST", path: "/signin/finish", body: `{"id":"AA"}`, want: http.StatusBadRequest},
		"not JSON":            {method: "POST", path: "/register/finish", body: `<xml/>`, want: http.StatusBadRequest},
		"too long":            {method: "POST", path: "/register/finish", body: `"` + strings.Repeat("x", MaxBodyBytes) + `"`, want: http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request, err := http.NewRequestWithContext(t.Context(), c.method, s.Origin+c.path, strings.NewReader(c.body))
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
