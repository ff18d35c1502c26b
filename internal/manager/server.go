package manager

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"sync"
	"time"
)

// page is what the browser shows.
//
//go:embed page
var page embed.FS

// Ours: bounds.
const (
	idleLimit     = 10 * time.Minute // without a call
	goneLimit     = 5 * time.Second  // without the page: long enough for a reload
	firstLimit    = 5 * time.Minute  // until the link is used
	headerTimeout = 5 * time.Second
	farewell      = 2 * time.Second
	maxBodyBytes  = 32 << 20 // the list of another device
	tokenBytes    = 32
)

// Names of what carries the two halves of a session.
const (
	cookieName = "localpasskey"
	keyHeader  = "Localpasskey-Key"
)

// Backend answers what the page asks: an API, or who has the passkeys itself.
type Backend interface {
	// Call answers the call of that name; see API.Call.
	Call(ctx context.Context, name string, body []byte) (answer []byte, ok bool)
}

// Server is the page's server on loopback.
type Server struct {
	api    Backend
	origin string // "http://127.0.0.1:PORT"
	host   string
	http   *http.Server
	ended  chan error

	mu       sync.Mutex
	link     string // the token that works once, "" when it has
	cookie   string // "" before the link was used
	key      string
	watching int // pages that are open
	timer    *time.Timer
	over     chan struct{} // closed when it is time to end
	once     sync.Once
}

// Open listens at a port of this machine's own. The caller closes the server.
func Open(ctx context.Context, api Backend) (*Server, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(page, "page")
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s := &Server{
		api: api, host: listener.Addr().String(), link: token(),
		ended: make(chan error, 1), over: make(chan struct{}),
	}
	s.origin = "http://" + s.host
	s.timer = time.AfterFunc(firstLimit, s.end)
	s.http = &http.Server{Handler: s.guard(s.routes(files)), ReadHeaderTimeout: headerTimeout}
	go func() { s.ended <- s.http.Serve(ownersOnly{listener}) }()
	return s, nil
}

// token is a number that nobody guesses.
func token() string {
	b := make([]byte, tokenBytes)
	_, _ = rand.Read(b) // crypto/rand never fails
	return hex.EncodeToString(b)
}

// URL is the link that works once. What is after # stays in the browser.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.origin + "/#" + s.link
}

// Wait returns when the page is gone, nothing was asked for a long time, or ctx ends.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case <-s.over:
		return nil
	case <-ctx.Done():
		return nil
	case err := <-s.ended:
		return err
	}
}

// Close ends the server.
func (s *Server) Close(ctx context.Context) error {
	s.end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return s.http.Close()
	}
	return nil
}

func (s *Server) end() { s.once.Do(func() { close(s.over) }) }

func (s *Server) routes(files fs.FS) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("POST /session", s.begin)
	mux.HandleFunc("POST /watch", s.watch)
	mux.HandleFunc("POST /api/{name}", func(w http.ResponseWriter, r *http.Request) {
		if s.admitted(w, r) {
			call(s.api, w, r)
		}
	})
	return mux
}

// dress tells the browser what the page may do: run its own files, ask where it came from, and
// be in nobody's frame.
func dress(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// guard lets in what this page itself asks for. Another name for this address is how DNS
// rebinding looks; another origin is another site's page.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dress(w.Header())
		site := r.Header.Get("Sec-Fetch-Site")
		switch {
		case r.Host != s.host:
			http.Error(w, "this page has another address", http.StatusMisdirectedRequest)
		case r.Method != http.MethodGet && r.Header.Get("Origin") != s.origin,
			r.Header.Get("Origin") != "" && r.Header.Get("Origin") != s.origin,
			r.Method != http.MethodGet && site != "" && site != "same-origin":
			http.Error(w, "only this page's own requests are answered", http.StatusForbidden)
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
			next.ServeHTTP(w, r)
		}
	})
}

// begin exchanges the link's token, once, for a cookie and a key.
func (s *Server) begin(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.link == "" || !same(string(body), s.link) {
		http.Error(w, "this link has been used, or is not one", http.StatusForbidden)
		return
	}
	s.link, s.cookie, s.key = "", token(), token()
	s.timer.Reset(idleLimit)
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Loopback has no TLS, and a Secure cookie would not come back.
		Name: cookieName, Value: s.cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, s.key) // whoever asked has gone away
}

// admitted tells whether a request is the session's, and counts it as life.
func (s *Server) admitted(w http.ResponseWriter, r *http.Request) bool {
	cookie, err := r.Cookie(cookieName)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.cookie == "" || !same(cookie.Value, s.cookie) || !same(r.Header.Get(keyHeader), s.key) {
		http.Error(w, "no session; run `localpasskey manage` again", http.StatusUnauthorized)
		return false
	}
	s.timer.Reset(idleLimit)
	return true
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// call answers a call of the API.
func call(api Backend, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "the request is too large", http.StatusRequestEntityTooLarge)
		return
	}
	answer, ok := api.Call(r.Context(), r.PathValue("name"), body)
	w.Header().Set("Content-Type", "application/json")
	if !ok {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	_, _ = w.Write(answer) //nolint:gosec // It is JSON, and says so; where it fails, whoever asked has gone away.
}

// watch stays open as long as the page does. When the last one has gone and none comes
// soon, there is nobody left to serve.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	if !s.admitted(w, r) {
		return
	}
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush() // no answer follows; the page waits for its end
	s.mu.Lock()
	s.watching++
	s.mu.Unlock()
	select {
	case <-r.Context().Done():
	case <-s.over:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watching--; s.watching == 0 {
		s.timer.Reset(goneLimit)
	}
}
