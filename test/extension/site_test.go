//go:build e2e && linux

package extension_test

import (
	"embed"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

//go:embed lab
var labFiles embed.FS

// lab is a site that answers to every name below localhost: one of its own for each site
// that a test needs.
type lab struct{ port string }

func openLab(t *testing.T) *lab {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("GET /lab/", http.FileServerFS(labFiles))
	mux.HandleFunc("GET /page", servePage)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	check(t, err)
	_, port, err := net.SplitHostPort(address.Host)
	check(t, err)
	return &lab{port}
}

// servePage serves an empty page with the lab's script. The query has headers.
func servePage(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	for name, values := range r.URL.Query() {
		h.Set(name, values[0])
	}
	_, _ = w.Write([]byte(`<!doctype html><html lang=en><title>Lab</title><body><script src="/lab/lab.js"></script></body></html>`))
}

// page is the address of a page of a site, "" for localhost itself, with headers.
func (l *lab) page(site string, headers ...string) string {
	query := url.Values{}
	for i := 0; i+1 < len(headers); i += 2 {
		query.Set(headers[i], headers[i+1])
	}
	if site != "" {
		site += "."
	}
	return "http://" + site + "localhost:" + l.port + "/page?" + query.Encode()
}
