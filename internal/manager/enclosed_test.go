package manager_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/localpasskey/localpasskey/internal/manager"
)

type echo struct{}

func (echo) Call(_ context.Context, name string, body []byte) ([]byte, bool) {
	return []byte(`"` + name + " " + string(body) + `"`), name != "refused"
}

// TestEnclosed: a web view of ours gets the page and its answers without a session, and no page of
// another address does.
func TestEnclosed(t *testing.T) {
	t.Parallel()
	const origin = "localpasskey://app"
	handler, err := manager.Enclosed(echo{}, origin)
	if err != nil {
		t.Fatal(err)
	}
	send := func(method, url, from, site, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		r.Header.Set("Origin", from)
		r.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	for path, kind := range map[string]string{"/": "text/html", "/page.js": "text/javascript", "/style.css": "text/css", "/icon.svg": "image/svg+xml"} {
		w := send(http.MethodGet, origin+path, "", "", "")
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d, %v", path, w.Code, w.Header())
		}
	}
	for _, c := range []struct {
		url, from, site string
		want            int
		body            string
	}{
		{origin + "/api/list", origin, "same-origin", http.StatusOK, `"list x"`},
		{origin + "/api/list", "", "", http.StatusOK, `"list x"`}, // a web view that does not say
		{origin + "/api/refused", origin, "", http.StatusUnprocessableEntity, `"refused x"`},
		{origin + "/api/list", "null", "", http.StatusForbidden, ""},
		{origin + "/api/list", "https://example.com", "", http.StatusForbidden, ""},
		{origin + "/api/list", origin, "cross-site", http.StatusForbidden, ""},
		{"localpasskey://other/api/list", "", "", http.StatusMisdirectedRequest, ""},
		{"http://app/api/list", "", "", http.StatusMisdirectedRequest, ""},
		{origin + "/session", origin, "", http.StatusMethodNotAllowed, ""}, // there is none
	} {
		w := send(http.MethodPost, c.url, c.from, c.site, "x")
		if w.Code != c.want || c.body != "" && w.Body.String() != c.body || c.body == "" && strings.Contains(w.Body.String(), "list x") {
			t.Errorf("%s from %q, %q: %d, %q", c.url, c.from, c.site, w.Code, w.Body)
		}
	}
	if w := send(http.MethodPost, origin+"/api/list", origin, "", strings.Repeat("x", 33<<20)); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("33 MiB: %d", w.Code)
	}
	if _, err := manager.Enclosed(echo{}, "%"); err == nil {
		t.Error("served at an origin that is none")
	}
}

// TestEnclosedStays: the page's question whether we are here is open as long as both are.
func TestEnclosedStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler, err := manager.Enclosed(echo{}, "localpasskey://app")
		if err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancel(t.Context())
		answered := false
		w := httptest.NewRecorder()
		go func() {
			handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "localpasskey://app/watch", http.NoBody))
			answered = true
		}()
		synctest.Wait()
		if answered || !w.Flushed {
			t.Errorf("answered %t, begun %t", answered, w.Flushed)
		}
		leave()
		synctest.Wait()
		if !answered {
			t.Error("it stays when the page has gone")
		}
	})
}
