package provider_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/provider"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

var errScripted = errors.New("the script wants this to fail")

// world is a Mac: what outlives a process is its keys, entries and the system's
// list. Each call of a port is one step, which can fail or be the process's last.
type world struct {
	t *testing.T

	keys       map[string]*ecdsa.PrivateKey
	entries    map[string][]byte
	identities []provider.Identity

	steps       []string
	failAt      []int // steps that fail, from 1
	crashAt     int   // the step before which the process dies
	dead        bool
	lock        sync.Mutex
	held        bool
	sign        error // what the finger answers
	verify      error
	pick        func(accounts []string) (int, error)
	atPick      func()
	reasons     []string
	told        []string
	registered  []provider.Registration
	asserted    []provider.Assertion
	configured  int
	cancelled   []provider.Code
	panicAtSign bool
	log         bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t: t, keys: map[string]*ecdsa.PrivateKey{}, entries: map[string][]byte{}}
}

// step counts a call, and tells whether it is to fail.
func (w *world) step(name string) error {
	if w.dead {
		return errScripted
	}
	w.steps = append(w.steps, name)
	if w.crashAt == len(w.steps) {
		w.dead = true
	}
	if w.dead || slices.Contains(w.failAt, len(w.steps)) {
		return errScripted
	}
	return nil
}

// restart is a new process on the same Mac, without what the test has scripted.
func (w *world) restart() {
	w.dead, w.crashAt, w.failAt, w.steps, w.held = false, 0, nil, nil, false
	w.registered, w.asserted, w.cancelled = nil, nil, nil
}

func (w *world) provider() *provider.Provider {
	return &provider.Provider{
		Keys: keys{w}, Entries: entries{w}, Identities: identities{w},
		Reason: func(o provider.Operation, rpID, user string) string { return fmt.Sprintf("%s %s %s", o, rpID, user) },
		AAGUID: webauthn.AAGUID{1, 2, 3}, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	}
}

type keys struct{ *world }

func (k keys) Create(_ context.Context, id []byte) (cose.Key, error) {
	if err := k.step("create key"); err != nil {
		return cose.Key{}, err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		k.t.Fatal(err)
	}
	k.keys[string(id)] = private
	return cose.FromECDSA(&private.PublicKey)
}

func (k keys) Sign(_ context.Context, id []byte, public cose.Key, digest [32]byte, reason string) ([]byte, error) {
	if err := k.step("sign"); err != nil {
		return nil, err
	}
	k.reasons = append(k.reasons, reason)
	if k.panicAtSign {
		panic("an unexpected state")
	}
	if k.sign != nil {
		return nil, k.sign
	}
	private := k.keys[string(id)]
	if private == nil {
		return nil, ctap.NoCredentials
	}
	if is, _ := cose.FromECDSA(&private.PublicKey); !bytes.Equal(is.X, public.X) {
		return nil, ctap.InvalidCredential
	}
	return ecdsa.SignASN1(rand.Reader, private, digest[:])
}

func (k keys) Delete(_ context.Context, id []byte) error {
	if err := k.step("delete key"); err != nil {
		return err
	}
	delete(k.keys, string(id))
	return nil
}

func (k keys) IDs(context.Context) ([][]byte, error) {
	if err := k.step("list keys"); err != nil {
		return nil, err
	}
	var all [][]byte
	for id := range k.keys {
		all = append(all, []byte(id))
	}
	return all, nil
}

type entries struct{ *world }

func (e entries) All(context.Context) (map[string][]byte, error) {
	return maps.Clone(e.entries), e.step("read entries")
}

func (e entries) Put(_ context.Context, id, value []byte) error {
	if !e.held {
		e.t.Error("an entry is written without the lock")
	}
	if err := e.step("put entry"); err != nil {
		return err
	}
	e.entries[string(id)] = value
	return nil
}

func (e entries) Delete(_ context.Context, id []byte) error {
	if !e.held {
		e.t.Error("an entry is deleted without the lock")
	}
	if err := e.step("delete entry"); err != nil {
		return err
	}
	delete(e.entries, string(id))
	return nil
}

func (e entries) Lock(context.Context) (func(), error) {
	if err := e.step("lock"); err != nil {
		return nil, err
	}
	e.lock.Lock()
	e.held = true
	return func() {
		e.held = false
		e.lock.Unlock()
	}, nil
}

type identities struct{ *world }

func (i identities) Replace(_ context.Context, all []provider.Identity) error {
	if err := i.step("replace identities"); err != nil {
		return err
	}
	i.identities = all
	return nil
}

// Verify, Choose and Tell make the world a Screen.
func (w *world) Verify(_ context.Context, reason string) error {
	if err := w.step("verify"); err != nil {
		return err
	}
	w.reasons = append(w.reasons, reason)
	return w.verify
}

func (w *world) Choose(_ context.Context, title string, accounts []string) (int, error) {
	if err := w.step("choose"); err != nil {
		return 0, err
	}
	w.reasons = append(w.reasons, "choose for "+title+": "+strings.Join(accounts, ", "))
	if w.atPick != nil {
		w.atPick()
	}
	if w.pick == nil {
		return 0, nil
	}
	return w.pick(accounts)
}

func (w *world) Tell(_ context.Context, message string) { w.told = append(w.told, message) }

// request is the extension context of one request.
type request struct{ *world }

func (r request) CompleteRegistration(_ context.Context, a provider.Registration) error {
	if err := r.step("complete registration"); err != nil {
		return err
	}
	r.registered = append(r.registered, a)
	return nil
}

func (r request) CompleteAssertion(_ context.Context, a provider.Assertion) error {
	if err := r.step("complete assertion"); err != nil {
		return err
	}
	r.asserted = append(r.asserted, a)
	return nil
}

func (r request) CompleteConfiguration() { r.configured++ }

func (r request) Cancel(code provider.Code) {
	if !r.dead {
		r.cancelled = append(r.cancelled, code)
	}
}

func hash(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

// registration is a good request.
func registration(user string) provider.RegistrationRequest {
	return provider.RegistrationRequest{
		RPID: "example.com", UserName: user, UserHandle: []byte("handle of " + user), ClientDataHash: hash("registration"),
		Algorithms: []int64{-257, -7}, Verification: provider.Required,
	}
}

// register registers and gives the answer, nil where there was none.
func (w *world) register(req provider.RegistrationRequest) *provider.Registration {
	before := len(w.registered)
	w.provider().Register(w.t.Context(), req, w, request{w})
	if len(w.registered) == before {
		return nil
	}
	return &w.registered[before]
}

func (w *world) mustRegister(user string) *provider.Registration {
	w.t.Helper()
	r := w.register(registration(user))
	if r == nil {
		w.t.Fatalf("not registered: %v, told %q", w.cancelled, w.told)
	}
	return r
}

func (w *world) assert(id []byte) *provider.Assertion {
	before := len(w.asserted)
	w.provider().Assert(w.t.Context(), provider.AssertionRequest{RPID: "example.com", ClientDataHash: hash("assertion"), ID: id}, w, request{w})
	if len(w.asserted) == before {
		return nil
	}
	return &w.asserted[before]
}

// site is what a relying party makes of a registration: the key to verify with.
type site struct {
	id     []byte
	public *ecdsa.PublicKey
	count  uint32
}

// verify checks an answer as a relying party does, and moves its count.
func (s *site) verify(t *testing.T, a *provider.Assertion) {
	t.Helper()
	data, err := webauthn.ParseAuthenticatorData(a.AuthData)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(append(slices.Clone(a.AuthData), a.ClientDataHash...))
	switch {
	case !ecdsa.VerifyASN1(s.public, digest[:], a.Signature):
		t.Error("the signature does not verify")
	case data.SignCount <= s.count:
		t.Errorf("the count went from %d to %d", s.count, data.SignCount)
	case !bytes.Equal(a.ID, s.id) || data.RPIDHash != webauthn.RPIDHash("example.com"):
		t.Error("of another passkey or site")
	case a.AuthData[32] != 0x1d:
		t.Errorf("flags %#x", a.AuthData[32])
	}
	s.count = data.SignCount
}

func newSite(t *testing.T, r *provider.Registration) *site {
	t.Helper()
	object, err := webauthn.ParseAttestationObject(r.AttestationObject)
	if err != nil {
		t.Fatal(err)
	}
	data, err := webauthn.ParseAuthenticatorData(object.AuthData)
	if err != nil {
		t.Fatal(err)
	}
	public, err := data.Attested.PublicKey.ECDSA()
	if err != nil || !bytes.Equal(data.Attested.CredentialID, r.ID) {
		t.Fatalf("%v, id %x for %x", err, data.Attested.CredentialID, r.ID)
	}
	return &site{id: r.ID, public: public, count: data.SignCount}
}

// offered are the ids that the system offers.
func (w *world) offered() [][]byte {
	var ids [][]byte
	for _, i := range w.identities {
		ids = append(ids, i.ID)
	}
	return ids
}

// consistent checks that keys, entries and what the system offers are the same.
func (w *world) consistent(when string) {
	w.t.Helper()
	for id := range w.keys {
		if _, ok := w.entries[id]; !ok {
			w.t.Errorf("%s: a key without an entry", when)
		}
	}
	for id := range w.entries {
		if w.keys[id] == nil {
			w.t.Errorf("%s: an entry without a key", when)
		}
	}
	if len(w.identities) != len(w.entries) {
		w.t.Errorf("%s: %d passkeys, %d are offered", when, len(w.entries), len(w.identities))
	}
	for _, i := range w.identities {
		if _, ok := w.entries[string(i.ID)]; !ok {
			w.t.Errorf("%s: what is offered is not there", when)
		}
	}
}

// cancelledWith checks that the one answer was a refusal.
func (w *world) cancelledWith(what string, code provider.Code) {
	w.t.Helper()
	if !slices.Equal(w.cancelled, []provider.Code{code}) || len(w.registered)+len(w.asserted) != 0 {
		w.t.Errorf("%s: cancelled with %v and answered %d times, want %d", what, w.cancelled, len(w.registered)+len(w.asserted), code)
	}
}
