package keychain_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/enclave/keychain"
	"github.com/localpasskey/localpasskey/internal/enclave/securitytest"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/macos/gesture"
	"github.com/localpasskey/localpasskey/internal/provider"
)

// What the provider asks for is what the keychain gives.
var (
	_ provider.Keys    = keychain.Keychain{}
	_ provider.Entries = keychain.Entries{}
)

// sheets are answered with a finger at once.
type sheets struct {
	chip    *securitytest.Chip
	n       atomic.Int64
	reasons []string
	open    atomic.Int64
}

func (s *sheets) Sheet(reason string) *gesture.Gesture {
	s.reasons = append(s.reasons, reason)
	s.open.Add(1)
	la := macos.ID(s.n.Add(1))
	s.chip.Touch(la)
	return gesture.New(la, func(la macos.ID) {
		s.open.Add(-1)
		s.chip.Invalidate(la)
	})
}

type rig struct {
	*testing.T
	chip   *securitytest.Chip
	sheets *sheets
	keys   keychain.Keychain
}

func newRig(t *testing.T) *rig {
	t.Helper()
	chip := securitytest.New()
	chip.Entitled = true
	s := &sheets{chip: chip}
	t.Cleanup(func() {
		if chip.Open() != 0 || s.open.Load() != 0 || chip.Asked() != 0 {
			t.Errorf("%d keys and %d sheets are open, the system asked %d times on its own", chip.Open(), s.open.Load(), chip.Asked())
		}
	})
	return &rig{T: t, chip: chip, sheets: s, keys: keychain.Keychain{
		Security: chip, Items: chip, Sheets: s, Group: "TEAM.example", Protection: enclave.BiometryAny,
		LockFile: filepath.Join(t.TempDir(), "lock"),
	}}
}

func (r *rig) status(what string, err error, want ctap.Status) {
	r.Helper()
	if got := ctap.StatusOf(err); got != want {
		r.Errorf("%s: %v (%v), want %v", what, got, err, want)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, err := r.keys.Create(t.Context(), []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := r.keys.Create(t.Context(), []byte("two"))
	if err != nil {
		t.Fatal(err)
	}
	digest := [32]byte{1, 2, 3}
	signature, err := r.keys.Sign(t.Context(), []byte("one"), one, digest, "sign in to example.com")
	if err != nil || !slices.Equal(r.sheets.reasons, []string{"sign in to example.com"}) {
		t.Fatalf("%v, asked %q", err, r.sheets.reasons)
	}
	public, err := one.ECDSA()
	if err != nil || !ecdsa.VerifyASN1(public, digest[:], signature) {
		t.Errorf("the signature does not verify: %v", err)
	}
	_, err = r.keys.Sign(t.Context(), []byte("one"), two, digest, "")
	r.status("another key", err, ctap.InvalidCredential)
	_, err = r.keys.Sign(t.Context(), []byte("three"), one, digest, "")
	r.status("no key", err, ctap.NoCredentials)
	_, err = r.keys.Sign(t.Context(), []byte("one"), cose.Key{}, digest, "")
	r.status("no public key", err, ctap.InvalidCredential)
	if ids, err := r.keys.IDs(t.Context()); err != nil || len(ids) != 2 {
		t.Errorf("ids %q, %v", ids, err)
	}
	for range 2 {
		if err := r.keys.Delete(t.Context(), []byte("one")); err != nil {
			t.Error(err)
		}
	}
	if ids, err := r.keys.IDs(t.Context()); err != nil || len(ids) != 1 || string(ids[0]) != "two" {
		t.Errorf("ids %q, %v", ids, err)
	}
}

// TestSettings: what a key of the app is made with, word for word.
func TestSettings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	record := &recorder{Chip: r.chip}
	r.keys.Security, r.keys.Items = record, record
	if _, err := r.keys.Create(t.Context(), []byte("id")); err != nil {
		t.Fatal(err)
	}
	want := enclave.Attributes{
		{Name: "kSecAttrKeyType", Value: enclave.Symbol("kSecAttrKeyTypeECSECPrimeRandom")},
		{Name: "kSecAttrKeySizeInBits", Value: 256},
		{Name: "kSecAttrTokenID", Value: enclave.Symbol("kSecAttrTokenIDSecureEnclave")},
		{Name: "kSecUseDataProtectionKeychain", Value: true},
		{Name: "kSecPrivateKeyAttrs", Value: enclave.Attributes{
			{Name: "kSecAttrIsPermanent", Value: true},
			{Name: "kSecAttrApplicationTag", Value: []byte("id")},
			{Name: "kSecAttrAccessGroup", Value: "TEAM.example"},
			{Name: "kSecAttrAccessControl", Value: enclave.Access{Accessible: "kSecAttrAccessibleWhenUnlockedThisDeviceOnly", Flags: 1<<30 | 1<<1}},
		}},
	}
	if !reflect.DeepEqual(record.seen[0], want) {
		t.Errorf("made with %v", record.seen[0])
	}
	entries := keychain.Entries{Keychain: r.keys}
	if err := entries.Put(t.Context(), []byte("id"), []byte("value")); err != nil {
		t.Fatal(err)
	}
	added := record.seen[len(record.seen)-1]
	for _, one := range (enclave.Attributes{
		{Name: "kSecAttrAccount", Value: "aWQ="},
		{Name: "kSecAttrAccessible", Value: enclave.Symbol("kSecAttrAccessibleWhenUnlockedThisDeviceOnly")},
		{Name: "kSecAttrAccessGroup", Value: "TEAM.example"},
		{Name: "kSecValueData", Value: []byte("value")},
	}) {
		if !slices.ContainsFunc(added, func(is enclave.Attribute) bool { return reflect.DeepEqual(is, one) }) {
			t.Errorf("an entry is added without %v", one)
		}
	}
	if _, err := entries.All(t.Context()); err != nil {
		t.Fatal(err)
	}
	known := map[enclave.Symbol]bool{}
	for _, e := range macos.Entries() {
		known[enclave.Symbol(e.Name)] = e.Kind == macos.KindConstant
	}
	for _, a := range record.seen {
		for _, one := range a {
			if value, ok := one.Value.(enclave.Symbol); !known[one.Name] || ok && !known[value] {
				t.Errorf("%v is declared nowhere", one)
			}
		}
	}
}

// recorder notes all attributes.
type recorder struct {
	*securitytest.Chip

	seen []enclave.Attributes
}

func (r *recorder) CreateKey(a enclave.Attributes) (enclave.SecKey, error) {
	r.seen = append(r.seen, a)
	return r.Chip.CreateKey(a)
}

func (r *recorder) Add(a enclave.Attributes) error {
	r.seen = append(r.seen, a)
	return r.Chip.Add(a)
}

func (r *recorder) Find(a enclave.Attributes) ([]keychain.Item, error) {
	r.seen = append(r.seen, a)
	return r.Chip.Find(a)
}

func TestEntries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := keychain.Entries{Keychain: r.keys}
	if all, err := e.All(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("an empty keychain has %v, %v", all, err)
	}
	for _, value := range []string{"first", "second"} {
		for _, id := range [][]byte{{0xff, 0}, []byte("two")} {
			if err := e.Put(t.Context(), id, []byte(value)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := r.keys.Create(t.Context(), []byte("two")); err != nil {
		t.Fatal(err)
	}
	all, err := e.All(t.Context())
	if err != nil || !reflect.DeepEqual(all, map[string][]byte{"\xff\x00": []byte("second"), "two": []byte("second")}) {
		t.Errorf("%q, %v", all, err)
	}
	for range 2 {
		if err := e.Delete(t.Context(), []byte("two")); err != nil {
			t.Error(err)
		}
	}
	if all, err = e.All(t.Context()); err != nil || len(all) != 1 || r.chip.Items("kSecClassKey") != 1 {
		t.Errorf("%q, %v, and %d keys", all, err, r.chip.Items("kSecClassKey"))
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.chip.Fail("public", 1)
	if _, err := r.keys.Create(t.Context(), []byte("one")); err == nil || r.chip.Items("kSecClassKey") != 0 {
		t.Errorf("%v, and the key is still there", err)
	}
	public, err := r.keys.Create(t.Context(), []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"find key", "public", "use"} {
		r.chip.Fail(call, 1)
		if _, err := r.keys.Sign(t.Context(), []byte("one"), public, [32]byte{}, ""); err == nil {
			t.Errorf("signed although %s failed", call)
		}
	}
	e := keychain.Entries{Keychain: r.keys}
	for _, call := range []string{"update", "add"} {
		r.chip.Fail(call, 1)
		if err := e.Put(t.Context(), []byte("one"), nil); err == nil {
			t.Errorf("put although %s failed", call)
		}
	}
	if err := e.Put(t.Context(), []byte("one"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 2; n++ {
		r.chip.Fail("find", n)
		if _, err := e.All(t.Context()); err == nil {
			t.Errorf("read all although find %d failed", n)
		}
	}
	r.chip.Locked = true
	_, err = r.keys.Sign(t.Context(), []byte("one"), public, [32]byte{}, "")
	r.status("a locked Mac", err, ctap.UPRequired)
	r.chip.Locked, r.chip.Entitled = false, false
	_, err = r.keys.Create(t.Context(), []byte("two"))
	if p, ok := errors.AsType[*ctap.Problem](err); !ok || p.Hint == "" {
		t.Errorf("a program that is not signed is told %v", err)
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.keys.Create(ctx, []byte("one"))
	r.status("create", err, ctap.KeepaliveCancel)
	_, err = r.keys.Sign(ctx, []byte("one"), cose.Key{}, [32]byte{}, "")
	r.status("sign", err, ctap.KeepaliveCancel)
	e := keychain.Entries{Keychain: r.keys}
	unlock, err := e.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Lock(ctx)
	r.status("lock", err, ctap.KeepaliveCancel)
	unlock()
}

// TestLock: one at a time, here and in other processes, which flock makes the same.
func TestLock(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := keychain.Entries{Keychain: r.keys}
	var inside, most atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			unlock, err := e.Lock(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			most.Store(max(most.Load(), inside.Add(1)))
			inside.Add(-1)
			unlock()
		})
	}
	all.Wait()
	if most.Load() != 1 {
		t.Errorf("%d at once", most.Load())
	}
	r.keys.LockFile = filepath.Join(t.TempDir(), "missing", "lock")
	if _, err := (keychain.Entries{Keychain: r.keys}).Lock(t.Context()); err == nil {
		t.Error("locked a file that cannot be")
	}
}

// TestForeignItems: other items of the group are left alone.
func TestForeignItems(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	foreign := enclave.Attributes{
		{Name: "kSecClass", Value: enclave.Symbol("kSecClassGenericPassword")},
		{Name: "kSecAttrService", Value: "LocalPasskey"},
		{Name: "kSecAttrAccessGroup", Value: "TEAM.example"},
		{Name: "kSecUseDataProtectionKeychain", Value: true},
		{Name: "kSecAttrAccount", Value: "not base64!"},
		{Name: "kSecValueData", Value: []byte("x")},
	}
	if err := r.chip.Add(foreign); err != nil {
		t.Fatal(err)
	}
	all, err := keychain.Entries{Keychain: r.keys}.All(t.Context())
	if err != nil || len(all) != 0 {
		t.Errorf("read as ours: %q, %v", all, err)
	}
	if !bytes.Contains(fmt.Append(nil, foreign), []byte("not base64!")) || r.chip.Items("kSecClassGenericPassword") != 1 {
		t.Error("it was changed")
	}
}

// answers is a request and a screen that says yes.
type answers struct {
	registered []provider.Registration
	asserted   []provider.Assertion
	cancelled  []provider.Code
	offered    []provider.Identity
}

func (a *answers) CompleteRegistration(_ context.Context, r provider.Registration) error {
	a.registered = append(a.registered, r)
	return nil
}

func (a *answers) CompleteAssertion(_ context.Context, r provider.Assertion) error {
	a.asserted = append(a.asserted, r)
	return nil
}
func (a *answers) CompleteConfiguration()                                {}
func (a *answers) Cancel(code provider.Code)                             { a.cancelled = append(a.cancelled, code) }
func (a *answers) Verify(context.Context, string) error                  { return nil }
func (a *answers) Choose(context.Context, string, []string) (int, error) { return 0, nil }
func (a *answers) Tell(context.Context, string)                          {}
func (a *answers) Replace(_ context.Context, all []provider.Identity) error {
	a.offered = all
	return nil
}

// TestProvider joins the two as the extension does: registered, signed in, registered
// again, and each call of the keychain failing once.
func TestProvider(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"", "create", "public", "add", "update", "find", "delete", "find key", "use"} {
		for n := 1; n <= 4; n++ {
			r := newRig(t)
			a := &answers{}
			p := &provider.Provider{
				Keys: r.keys, Entries: keychain.Entries{Keychain: r.keys}, Identities: a,
				Reason: func(provider.Operation, string, string) string { return "x" }, Log: slog.New(slog.DiscardHandler),
			}
			req := provider.RegistrationRequest{
				RPID: "example.com", UserName: "octocat", UserHandle: []byte("u"), ClientDataHash: make([]byte, 32), Verification: provider.Required,
			}
			p.Register(t.Context(), req, a, a)
			if call != "" {
				r.chip.Fail(call, n)
			}
			p.Register(t.Context(), req, a, a)
			p.Assert(t.Context(), provider.AssertionRequest{RPID: "example.com", ClientDataHash: make([]byte, 32)}, a, a)
			if len(a.registered)+len(a.asserted)+len(a.cancelled) != 3 {
				t.Errorf("%s %d: %d, %d and %d answers", call, n, len(a.registered), len(a.asserted), len(a.cancelled))
			}
			r.chip.Heal()
			p.Register(t.Context(), req, a, a)
			if err := p.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			last := a.registered[len(a.registered)-1]
			if r.chip.Items("kSecClassKey") != 1 || r.chip.Items("kSecClassGenericPassword") != 1 || len(a.offered) != 1 || !bytes.Equal(a.offered[0].ID, last.ID) {
				t.Errorf("%s %d: %d keys, %d entries, %d offered", call, n, r.chip.Items("kSecClassKey"), r.chip.Items("kSecClassGenericPassword"), len(a.offered))
			}
			before := len(a.asserted)
			p.Assert(t.Context(), provider.AssertionRequest{RPID: "example.com", ClientDataHash: make([]byte, 32), ID: last.ID}, a, a)
			if len(a.asserted) != before+1 {
				t.Errorf("%s %d: the passkey does not work", call, n)
			}
		}
	}
}
