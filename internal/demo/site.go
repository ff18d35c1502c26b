package demo

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	relyingparty "github.com/go-webauthn/webauthn/webauthn"

	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// siteHost is the site's name: browsers count it as a secure context without TLS,
// and as a relying party of its own.
const siteHost = "localhost"

// Bounds of a request to the site.
const (
	maxBodyBytes  = 64 << 10
	headerTimeout = 5 * time.Second
	farewell      = 2 * time.Second
)

// page is what the site shows to a browser.
//
//go:embed page
var page embed.FS

// site is a relying party with one account, on loopback. It believes nothing but
// what go-webauthn has verified.
type site struct {
	origin  string
	account string
	party   *relyingparty.WebAuthn
	server  *http.Server
	handle  []byte // user handle

	mu          sync.Mutex
	credentials []relyingparty.Credential
	pending     *relyingparty.SessionData // of the ceremony that was begun last
}

// receipt is what the site has learnt from a ceremony that it accepts.
type receipt struct {
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

// openSite starts a site on a loopback address, "127.0.0.1:0" for any port. With
// expect set it takes that origin for its own and refuses every other.
func openSite(ctx context.Context, address, expect string) (*site, error) {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	local, ok := listener.Addr().(*net.TCPAddr)
	if !ok || !local.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("%s is not this machine alone: use 127.0.0.1:PORT", address), listener.Close())
	}
	s := &site{origin: fmt.Sprintf("http://%s:%d", siteHost, local.Port), account: "alice", handle: make([]byte, 32)}
	if _, err := rand.Read(s.handle); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if expect == "" {
		expect = s.origin
	}
	s.party, err = relyingparty.New(&relyingparty.Config{
		RPID:                  siteHost,
		RPDisplayName:         "LocalPasskey demo",
		RPOrigins:             []string{expect},
		AttestationPreference: protocol.PreferDirectAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey:        protocol.ResidentKeyRequirementRequired,
			RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification:   protocol.VerificationRequired,
		},
	})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	handler, err := s.routes()
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s.server = &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout}
	go func() { _ = s.server.Serve(listener) }() // ends when close shuts the server down
	return s, nil
}

func (s *site) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		return s.server.Close()
	}
	return nil
}

func (s *site) routes() (http.Handler, error) {
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
func (s *site) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if "http://"+r.Host != s.origin {
			http.Error(w, "this site is "+s.origin, http.StatusMisdirectedRequest)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
			"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
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
			body = refusal{Error: reason(err)}
			w.WriteHeader(http.StatusBadRequest)
		}
		_ = json.NewEncoder(w).Encode(body) // whoever asked has gone away
	}
}

// refusal is the site's no.
type refusal struct {
	Error string `json:"error"`
}

// reason adds what go-webauthn keeps for developers, who are the ones that look.
func reason(err error) string {
	if detailed, ok := errors.AsType[*protocol.Error](err); ok && detailed.DevInfo != "" {
		return detailed.Details + " (" + detailed.DevInfo + ")"
	}
	return err.Error()
}

func (s *site) beginRegistration(*http.Request) (*protocol.CredentialCreation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var exclude []protocol.CredentialDescriptor
	for _, c := range s.credentials {
		exclude = append(exclude, c.Descriptor())
	}
	options, session, err := s.party.BeginRegistration(s, relyingparty.WithExclusions(exclude))
	s.pending = session
	return options, err
}

func (s *site) finishRegistration(r *http.Request) (*receipt, error) {
	parsed, err := protocol.ParseCredentialCreationResponse(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	session, err := s.take()
	if err != nil {
		return nil, err
	}
	credential, err := s.party.CreateCredential(s, *session, parsed)
	if err != nil {
		return nil, err
	}
	s.credentials = append(s.credentials, *credential)
	got := s.receipt(parsed.Response.AttestationObject.AuthData.Flags, credential)
	got.Format, got.Attestation = credential.AttestationFormat, credential.AttestationType
	return got, nil
}

// beginSignIn names the account's passkeys, or with ?discoverable=1 lets whoever
// has one come.
func (s *site) beginSignIn(r *http.Request) (*protocol.CredentialAssertion, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var options *protocol.CredentialAssertion
	var err error
	if r.URL.Query().Has("discoverable") {
		options, s.pending, err = s.party.BeginDiscoverableLogin(relyingparty.WithUserVerification(protocol.VerificationRequired))
	} else {
		options, s.pending, err = s.party.BeginLogin(s)
	}
	return options, err
}

func (s *site) finishSignIn(r *http.Request) (*receipt, error) {
	parsed, err := protocol.ParseCredentialRequestResponse(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	session, err := s.take()
	if err != nil {
		return nil, err
	}
	var credential *relyingparty.Credential
	if len(session.UserID) == 0 {
		_, credential, err = s.party.ValidatePasskeyLogin(s.find, *session, parsed)
	} else {
		credential, err = s.party.ValidateLogin(s, *session, parsed)
	}
	if err != nil {
		return nil, err
	}
	if credential.Authenticator.CloneWarning {
		return nil, errors.New("the counter did not grow: this may be a copy of the passkey")
	}
	for i, c := range s.credentials {
		if slices.Equal(c.ID, credential.ID) {
			s.credentials[i] = *credential
		}
	}
	return s.receipt(parsed.Response.AuthenticatorData.Flags, credential), nil
}

// take gives the ceremony that was begun; it can be finished once.
func (s *site) take() (*relyingparty.SessionData, error) {
	session := s.pending
	s.pending = nil
	if session == nil {
		return nil, errors.New("nothing was begun")
	}
	return session, nil
}

// find is who a user handle belongs to.
func (s *site) find(_, userHandle []byte) (relyingparty.User, error) {
	if !slices.Equal(userHandle, s.handle) {
		return nil, errors.New("nobody here has this user handle")
	}
	return s, nil
}

func (s *site) receipt(flags protocol.AuthenticatorFlags, c *relyingparty.Credential) *receipt {
	got := &receipt{
		Account: s.account, Counter: c.Authenticator.SignCount,
		UP: flags.HasUserPresent(), UV: flags.HasUserVerified(),
		BE: flags.HasBackupEligible(), BS: flags.HasBackupState(),
	}
	if id := c.Authenticator.AAGUID; len(id) == len(webauthn.AAGUID{}) {
		got.AAGUID = webauthn.AAGUID(id).String()
	}
	return got
}

// WebAuthnID is the account's user handle.
func (s *site) WebAuthnID() []byte { return s.handle }

// WebAuthnName is the account's name.
func (s *site) WebAuthnName() string { return s.account }

// WebAuthnDisplayName is the account's name.
func (s *site) WebAuthnDisplayName() string { return s.account }

// WebAuthnCredentials are the account's passkeys. The caller holds mu.
func (s *site) WebAuthnCredentials() []relyingparty.Credential { return s.credentials }
