package site

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

// Site is a relying party with one account, on loopback. It believes nothing but
// what go-webauthn has verified.
type Site struct {
	// Origin is the site's own, "http://localhost:PORT".
	Origin string

	account string
	party   *relyingparty.WebAuthn
	server  *http.Server
	handle  []byte // user handle

	mu          sync.Mutex
	credentials []relyingparty.Credential
	pending     *relyingparty.SessionData // of the ceremony that was begun last
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
	s := &Site{Origin: fmt.Sprintf("http://%s:%d", Host, local.Port), account: "alice", handle: make([]byte, 32)}
	if _, err := rand.Read(s.handle); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if expect == "" {
		expect = s.Origin
	}
	s.party, err = relyingparty.New(&relyingparty.Config{
		RPID:                  Host,
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

func (s *Site) beginRegistration(*http.Request) (*protocol.CredentialCreation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var exclude []protocol.CredentialDescriptor
	for _, c := range s.credentials {
		exclude = append(exclude, c.Descriptor())
	}
	options, session, err := s.party.BeginRegistration(user{s}, relyingparty.WithExclusions(exclude))
	s.pending = session
	return options, err
}

func (s *Site) finishRegistration(r *http.Request) (*Receipt, error) {
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
	credential, err := s.party.CreateCredential(user{s}, *session, parsed)
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
func (s *Site) beginSignIn(r *http.Request) (*protocol.CredentialAssertion, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var options *protocol.CredentialAssertion
	var err error
	if r.URL.Query().Has("discoverable") {
		options, s.pending, err = s.party.BeginDiscoverableLogin(relyingparty.WithUserVerification(protocol.VerificationRequired))
	} else {
		options, s.pending, err = s.party.BeginLogin(user{s})
	}
	return options, err
}

func (s *Site) finishSignIn(r *http.Request) (*Receipt, error) {
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
		credential, err = s.party.ValidateLogin(user{s}, *session, parsed)
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
func (s *Site) take() (*relyingparty.SessionData, error) {
	session := s.pending
	s.pending = nil
	if session == nil {
		return nil, errors.New("nothing was begun")
	}
	return session, nil
}

// find is who a user handle belongs to.
func (s *Site) find(_, userHandle []byte) (relyingparty.User, error) {
	if !slices.Equal(userHandle, s.handle) {
		return nil, errors.New("nobody here has this user handle")
	}
	return user{s}, nil
}

func (s *Site) receipt(flags protocol.AuthenticatorFlags, c *relyingparty.Credential) *Receipt {
	got := &Receipt{
		Account: s.account, Counter: c.Authenticator.SignCount,
		UP: flags.HasUserPresent(), UV: flags.HasUserVerified(),
		BE: flags.HasBackupEligible(), BS: flags.HasBackupState(),
	}
	if id := c.Authenticator.AAGUID; len(id) == len(webauthn.AAGUID{}) {
		got.AAGUID = webauthn.AAGUID(id).String()
	}
	return got
}

// user is the account as go-webauthn sees it. Whoever hands it over holds mu.
type user struct{ *Site }

// WebAuthnID is the user handle.
func (u user) WebAuthnID() []byte { return u.handle }

// WebAuthnName is the account's name.
func (u user) WebAuthnName() string { return u.account }

// WebAuthnDisplayName is the account's name.
func (u user) WebAuthnDisplayName() string { return u.account }

// WebAuthnCredentials are the account's passkeys.
func (u user) WebAuthnCredentials() []relyingparty.Credential { return u.credentials }
