package manager

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
)

// listing is a daemon with passkeys that can be looked at.
type listing struct {
	ctap.Authenticator

	passkeys []ctap.Passkey
}

func (l *listing) Vendor(_ context.Context, command ctap.Command, _ cbor.Raw) (cbor.Raw, error) {
	switch command {
	case ctap.CommandStatus:
		return cbor.Marshal(ctap.StatusResponse{Version: "1", SetUp: true, PINSet: true, PINRetries: 8})
	case ctap.CommandList:
		return cbor.Marshal(ctap.ListResponse{Total: uint(len(l.passkeys)), Passkeys: l.passkeys})
	default:
		return nil, ctap.InvalidCommand
	}
}

func apiOf(a ctap.Authenticator) *API {
	return &API{
		Dial: func(context.Context) (ctap.Authenticator, func() error, error) {
			return a, func() error { return nil }, nil
		},
		Explain: func(err error) (string, string) { return err.Error(), "" },
	}
}

func served(t *testing.T) *Server {
	t.Helper()
	s, err := Open(t.Context(), apiOf(&listing{passkeys: []ctap.Passkey{{CredentialID: []byte{1}, RPID: "secret.example"}}}))
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

// request is what somebody sends. What is not set is as the page would send it; "-" is
// nothing.
type request struct {
	method, path, body              string
	host, origin, cookie, key, site string
}

func (s *Server) send(t *testing.T, r request) (status int, header http.Header, body string) {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, s.origin+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if r.host != "" {
		req.Host = r.host
	}
	set := func(name, value, usual string) {
		if value == "" {
			value = usual
		}
		if value != "-" && value != "" {
			req.Header.Set(name, value)
		}
	}
	usualOrigin := s.origin
	if r.method == http.MethodGet {
		usualOrigin = "-"
	}
	set("Origin", r.origin, usualOrigin)
	set("Sec-Fetch-Site", r.site, "same-origin")
	set(keyHeader, r.key, s.key)
	set("Cookie", r.cookie, cookieName+"="+s.cookie)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(content)
}

// link is the token of a server's link.
func (s *Server) linkToken() string {
	_, token, _ := strings.Cut(s.URL(), "#")
	return token
}

// begun is a server whose page is open.
func begun(t *testing.T) *Server {
	t.Helper()
	s := served(t)
	status, header, key := s.send(t, request{path: "/session", body: s.linkToken()})
	if status != http.StatusOK || key != s.key {
		t.Fatalf("the link gives %d, %q", status, key)
	}
	cookie := header.Get("Set-Cookie")
	for _, want := range []string{cookieName + "=" + s.cookie, "HttpOnly", "SameSite=Strict"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie %q lacks %q", cookie, want)
		}
	}
	if status, _, body := s.send(t, request{path: "/api/passkeys"}); status != http.StatusOK || !strings.Contains(body, "secret.example") {
		t.Fatalf("the page's own call gives %d, %s", status, body)
	}
	return s
}

// refuses holds that nothing of the passkeys comes out.
func (s *Server) refuses(t *testing.T, name string, r request, want int) {
	t.Helper()
	status, header, body := s.send(t, r)
	if status != want || strings.Contains(body, "secret.example") {
		t.Errorf("%s: answered %d, %s; want %d", name, status, body, want)
	}
	for h := range header {
		if strings.HasPrefix(h, "Access-Control-") {
			t.Errorf("%s: answered with %s", name, h)
		}
	}
}

// TestOtherHost is DNS rebinding: another site's name leads to this address.
func TestOtherHost(t *testing.T) {
	t.Parallel()
	s := begun(t)
	_, port, _ := net.SplitHostPort(s.host)
	for _, host := range []string{"evil.example", "evil.example:" + port, "localhost:" + port, "127.0.0.1", "127.0.0.1:1", "[::1]:" + port, "0.0.0.0:" + port, s.host + "."} {
		s.refuses(t, host, request{host: host, path: "/api/passkeys", origin: "http://" + host}, http.StatusMisdirectedRequest)
		s.refuses(t, host, request{host: host, path: "/api/passkeys"}, http.StatusMisdirectedRequest)
		s.refuses(t, host, request{host: host, method: http.MethodGet, path: "/"}, http.StatusMisdirectedRequest)
	}
}

// TestOtherOrigin is another site's page that makes the browser send requests here.
func TestOtherOrigin(t *testing.T) {
	t.Parallel()
	s := begun(t)
	for _, origin := range []string{"-", "null", "http://evil.example", "https://" + s.host, "http://127.0.0.1", "http://127.0.0.1:1", s.origin + ".evil.example"} {
		s.refuses(t, origin, request{origin: origin, path: "/api/passkeys"}, http.StatusForbidden)
		s.refuses(t, origin, request{origin: origin, path: "/session", body: s.linkToken()}, http.StatusForbidden)
		s.refuses(t, origin+", asking first", request{origin: origin, method: http.MethodOptions, path: "/api/passkeys"}, http.StatusForbidden)
	}
	for _, site := range []string{"same-site", "cross-site", "none"} {
		s.refuses(t, site, request{site: site, path: "/api/passkeys"}, http.StatusForbidden)
	}
	s.refuses(t, "a call by its address", request{method: http.MethodGet, path: "/api/passkeys"}, http.StatusNotFound)
}

// TestNoSession holds that cookie and key are both needed, and that neither is anything
// before the link was used.
func TestNoSession(t *testing.T) {
	t.Parallel()
	s := begun(t)
	for name, r := range map[string]request{
		"no cookie":            {cookie: "-"},
		"no key":               {key: "-"},
		"neither":              {cookie: "-", key: "-"},
		"another cookie":       {cookie: cookieName + "=" + token()},
		"another key":          {key: token()},
		"an empty cookie":      {cookie: cookieName + "="},
		"the key as cookie":    {cookie: cookieName + "=" + s.key, key: "-"},
		"the cookie for a key": {key: s.cookie},
	} {
		for _, path := range []string{"/api/passkeys", "/api/delete", "/watch"} {
			r.path = path
			s.refuses(t, name, r, http.StatusUnauthorized)
		}
	}
	fresh := served(t)
	fresh.refuses(t, "before the link was used", request{path: "/api/passkeys", cookie: cookieName + "=", key: "-"}, http.StatusUnauthorized)
}

// TestReplayedLink holds that the link works once, and wrong ones do not use it up.
func TestReplayedLink(t *testing.T) {
	t.Parallel()
	s := served(t)
	link := s.linkToken()
	for _, wrong := range []string{"", token(), link[1:], link + "0"} {
		s.refuses(t, "a wrong link", request{path: "/session", body: wrong}, http.StatusForbidden)
	}
	if status, _, _ := s.send(t, request{path: "/session", body: link}); status != http.StatusOK {
		t.Fatalf("the link gives %d", status)
	}
	s.refuses(t, "the link again", request{path: "/session", body: link, cookie: "-", key: "-"}, http.StatusForbidden)
	s.refuses(t, "no link", request{path: "/session", cookie: "-", key: "-"}, http.StatusForbidden)
}

// TestOtherUser has another user's program connect.
func TestOtherUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("another user's program can only be started as root")
	}
	s := served(t)
	_, port, _ := net.SplitHostPort(s.host)
	script := fmt.Sprintf(`exec 3<>/dev/tcp/127.0.0.1/%s && printf 'GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' >&3 && cat <&3`, port, s.host)
	for uid, want := range map[uint32]bool{0: true, 65534: false} {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
		as(cmd, uid)
		out, err := cmd.Output()
		if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
			t.Fatal(exit, err)
		}
		if got := bytes.HasPrefix(out, []byte("HTTP/1.1 200")); got != want {
			t.Errorf("uid %d is answered: %t, %q, %v", uid, got, out, err)
		}
	}
}

// TestEndsWithThePage holds that there is no server for long without a page.
func TestEndsWithThePage(t *testing.T) {
	t.Parallel()
	s := begun(t)
	ctx, closeTab := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.origin+"/watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", s.origin)
	req.Header.Set(keyHeader, s.key)
	req.Header.Set("Cookie", cookieName+"="+s.cookie)
	answer, err := http.DefaultClient.Do(req)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", answer, err)
	}
	defer answer.Body.Close()
	began := time.Now()
	closeTab()
	waited, cancel := context.WithTimeout(t.Context(), 4*goneLimit)
	defer cancel()
	if err := s.Wait(waited); err != nil || waited.Err() != nil {
		t.Errorf("the page has gone, and the server stays: %v", err)
	}
	if passed := time.Since(began); passed < goneLimit/2 {
		t.Errorf("it ended %v after the page: a reload takes as long", passed)
	}
}

// TestNoInlineScript holds the page to what its policy permits.
func TestNoInlineScript(t *testing.T) {
	t.Parallel()
	s := served(t)
	_, header, content := s.send(t, request{method: http.MethodGet, path: "/"})
	policy := header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %q", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy %q lets more run than the page's own files", policy)
	}
	if found := regexp.MustCompile(`(?i)<script[^>]*>[^<]|\son[a-z]+=|\sstyle=|javascript:|<style`).FindString(content); found != "" {
		t.Errorf("the page has %q in it", found)
	}
	names, err := fs.Glob(page, "page/*.js")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		script, err := fs.ReadFile(page, name)
		if err != nil {
			t.Fatal(err)
		}
		if found := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|localStorage`).Find(script); found != nil {
			t.Errorf("%s uses %s", name, found)
		}
		if !bytes.HasPrefix(script, []byte("// @ts-check\n")) {
			t.Errorf("%s is not checked", name)
		}
	}
}
