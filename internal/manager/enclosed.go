package manager

import (
	"io/fs"
	"net/http"
	"net/url"
)

// Enclosed serves the page at origin, such as "name://host", to a web view that nobody else can ask
// through: there is no port, so there is no link, cookie or key, and no owner to look for. What
// the page may do and where its requests come from is held to as in a browser.
func Enclosed(api Backend, origin string) (http.Handler, error) {
	files, err := fs.Sub(page, "page")
	if err != nil {
		return nil, err
	}
	at, err := url.Parse(origin)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("POST /watch", stay)
	mux.HandleFunc("POST /api/{name}", func(w http.ResponseWriter, r *http.Request) { call(api, w, r) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dress(w.Header())
		from, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
		switch {
		case r.URL.Scheme != at.Scheme || r.Host != at.Host:
			http.Error(w, "this page has another address", http.StatusMisdirectedRequest)
		case from != "" && from != origin, r.Method != http.MethodGet && site != "" && site != "same-origin":
			// Web views do not say everywhere where a request comes from; what they say has to be right.
			http.Error(w, "only this page's own requests are answered", http.StatusForbidden)
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
			mux.ServeHTTP(w, r)
		}
	}), nil
}

// stay answers nothing for as long as the page is there, which looks whether we are.
func stay(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).Flush() // where it cannot, the page waits all the same
	<-r.Context().Done()
}
