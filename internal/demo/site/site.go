package site

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	relyingparty "github.com/go-webauthn/webauthn/webauthn"
)

// Host is the site's name: browsers count it as a secure context without TLS,
// and as a relying party of its own.
const Host = "localhost"

// MaxBodyBytes bounds what the site takes and sends.
const MaxBodyBytes = 64 << 10

// Bounds of time.
const (
	headerTimeout = 5 * time.Second
	farewell      = 2 * time.Second
)

// page is what the site shows to a browser.
//
//go:embed page
var page embed.FS

// Site is a relying party on loopback. It believes nothing but what go-webauthn has
// verified.
type Site struct {
	// Origin is the site's own, "http://localhost:PORT".
	Origin string

	party  *relyingparty.WebAuthn
	server *http.Server

	mu       sync.Mutex
	accounts []*account
	pending  []*relyingparty.SessionData // of ceremonies that were begun, oldest first
}

// Receipt is what the site has learnt from a ceremony that it accepts.
type Receipt struct {
	Account     string `json:"account"`
	UP          bool   `json:"up"`
	UV          bool   `json:"uv"`
	BE          bool   `json:"be"`
	BS          bool   `json:"bs"`
	AAGUID      string `json:"aaguid"`
	Counter     uint32 `json:"counter"`
	Format      string `json:"format,omitempty"`
	Attestation string `json:"attestation,omitempty"`
}

// Open starts a site on a loopback address, "127.0.0.1:0" for any port. With
// expect set it takes that origin for its own and refuses every other.
func Open(ctx context.Context, address, expect string) (*Site, error) {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	local, ok := listener.Addr().(*net.TCPAddr)
	if !ok || !local.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("%s is not this machine alone: use 127.0.0.1:PORT", address), listener.Close())
	}
	s := &Site{Origin: fmt.Sprintf("http://%s:%d", Host, local.Port)}
	if expect == "" {
		expect = s.Origin
	}
	s.party, err = relyingparty.New(&relyingparty.Config{
		RPID: Host, RPDisplayName: "LocalPasskey demo", RPOrigins: []string{expect},
	})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	handler, err := s.routes()
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s.server = &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout}
	go func() { _ = s.server.Serve(listener) }() // ends when Close shuts the server down
	return s, nil
}

// Close ends the site, whether ctx has ended or not.
func (s *Site) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		return s.server.Close()
	}
	return nil
}

func (s *Site) routes() (http.Handler, error) {
	files, err := fs.Sub(page, "page")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("POST /register/begin", answer(s.beginRegistration))
	mux.HandleFunc("POST /register/finish", answer(s.finishRegistration))
	mux.HandleFunc("POST /signin/begin", answer(s.beginSignIn))
	mux.HandleFunc("POST /signin/finish", answer(s.finishSignIn))
	return s.guard(http.NewCrossOriginProtection().Handler(mux)), nil
}

// guard lets no other name in (DNS rebinding) and no script but the page's own run.
func (s *Site) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if "http://"+r.Host != s.Origin {
			http.Error(w, "this site is "+s.Origin, http.StatusMisdirectedRequest)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
			"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, MaxBodyBytes)
		next.ServeHTTP(w, r)
	})
}

// answer sends what do gives, or why it refuses, as JSON.
func answer[T any](do func(*http.Request) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		result, err := do(r)
		var body any = result
		if err != nil {
			body = Refusal{Error: reason(err)}
			w.WriteHeader(http.StatusBadRequest)
		}
		_ = json.NewEncoder(w).Encode(body) // whoever asked has gone away
	}
}

// Refusal is the site's no.
type Refusal struct {
	Error string `json:"error"`
}

// reason adds what go-webauthn keeps for developers, who are the ones that look.
func reason(err error) string {
	if detailed, ok := errors.AsType[*protocol.Error](err); ok && detailed.DevInfo != "" {
		return detailed.Details + " (" + detailed.DevInfo + ")"
	}
	return err.Error()
}
