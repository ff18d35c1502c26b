package enclave_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/enclave/securitytest"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/macos/gesture"
	"github.com/localpasskey/localpasskey/internal/secret"
)

var rpA, rpB = sha256.Sum256([]byte("a.example")), sha256.Sum256([]byte("b.example"))

func spec(kind authenticator.KeyKind, binding authenticator.Binding, rp [32]byte) authenticator.KeySpec {
	return authenticator.KeySpec{Kind: kind, Binding: binding, RPIDHash: rp}
}

type rig struct {
	*testing.T
	chip *securitytest.Chip
	keys enclave.Keys
	next macos.ID
}

func newRig(t *testing.T) *rig {
	t.Helper()
	chip := securitytest.New()
	t.Cleanup(func() {
		if n := chip.Open(); n != 0 {
			t.Errorf("%d keys are still open", n)
		}
		if n := chip.Asked(); n != 0 {
			t.Errorf("the system asked %d times on its own", n)
		}
	})
	return &rig{T: t, chip: chip, keys: enclave.Keys{Security: chip, Protection: enclave.BiometryAny}}
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) status(err error, want ctap.Status) {
	r.Helper()
	if got := ctap.StatusOf(err); got != want {
		r.Errorf("got %v (%v), want %v", got, err, want)
	}
}

// touch gives a context that carries a finger.
func (r *rig) touch() context.Context {
	r.next++
	r.chip.Touch(r.next)
	return gesture.With(r.Context(), gesture.New(r.next, r.chip.Invalidate))
}

func (r *rig) newKey(s authenticator.KeySpec) *authenticator.Key {
	r.Helper()
	key, err := r.keys.Create(r.Context(), s)
	r.must(err)
	return key
}

func (r *rig) prepare(key *authenticator.Key, by authenticator.Grant) authenticator.Prepared {
	r.Helper()
	p, err := r.keys.Prepare(r.Context(), key, by)
	r.must(err)
	r.Cleanup(func() { r.must(p.Close()) })
	return p
}

func (r *rig) grant(rp [32]byte) authenticator.Grant {
	r.Helper()
	g, err := r.keys.Verify(r.touch(), secret.Bytes{}, &rp)
	r.must(err)
	return g
}

// signs checks that p signs for key.
func (r *rig) signs(p authenticator.Prepared, key *authenticator.Key) {
	r.Helper()
	digest := sha256.Sum256([]byte("signed"))
	signature, err := p.Sign(r.Context(), digest[:])
	r.must(err)
	public, err := key.Public.ECDSA()
	r.must(err)
	if !ecdsa.VerifyASN1(public, digest[:], signature) {
		r.Error("the signature does not verify")
	}
}

// recorder notes with what keys are made and opened.
type recorder struct {
	enclave.Security

	created, opened []enclave.Attributes
}

func (r *recorder) CreateKey(a enclave.Attributes) (enclave.SecKey, error) {
	r.created = append(r.created, a)
	return r.Security.CreateKey(a)
}

func (r *recorder) OpenKey(data []byte, a enclave.Attributes) (enclave.SecKey, error) {
	r.opened = append(r.opened, a)
	return r.Security.OpenKey(data, a)
}

// TestSettings: what a key is made with, word for word.
func TestSettings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	record := &recorder{Security: r.chip}
	for protection, flag := range map[enclave.Protection]uint{
		enclave.BiometryAny: 1 << 1, enclave.BiometryCurrentSet: 1 << 3, enclave.UserPresence: 1,
	} {
		record.created = nil
		r.keys = enclave.Keys{Security: record, Protection: protection}
		key := r.newKey(spec(authenticator.SigningKey, authenticator.PINBound, rpA))
		want := enclave.Attributes{
			{Name: "kSecAttrKeyType", Value: enclave.Symbol("kSecAttrKeyTypeECSECPrimeRandom")},
			{Name: "kSecAttrKeySizeInBits", Value: 256},
			{Name: "kSecAttrTokenID", Value: enclave.Symbol("kSecAttrTokenIDSecureEnclave")},
			{Name: "kSecPrivateKeyAttrs", Value: enclave.Attributes{
				{Name: "kSecAttrIsPermanent", Value: false},
				{Name: "kSecAttrAccessControl", Value: enclave.Access{
					Accessible: "kSecAttrAccessibleWhenUnlockedThisDeviceOnly", Flags: 1<<30 | flag,
				}},
			}},
		}
		if !reflect.DeepEqual(record.created, []enclave.Attributes{want}) {
			t.Errorf("made with %v", record.created)
		}
		record.opened = nil
		r.signs(r.prepare(key, r.grant(rpA)), key)
		if !slices.Contains(symbols(record.opened[0]), "kSecUseAuthenticationContext") || !slices.Contains(symbols(record.opened[0]), macos.TokenOID) {
			t.Errorf("opened with %v", record.opened)
		}
	}
}

// TestSymbolsExist: each name is one that internal/macos has checked.
func TestSymbolsExist(t *testing.T) {
	t.Parallel()
	known := []enclave.Symbol{macos.TokenOID}
	for _, e := range macos.Entries() {
		if e.Kind == macos.KindConstant {
			known = append(known, enclave.Symbol(e.Name))
		}
	}
	r := newRig(t)
	record := &recorder{Security: r.chip}
	r.keys.Security = record
	key := r.newKey(spec(authenticator.SigningKey, authenticator.PINBound, rpA))
	r.signs(r.prepare(key, r.grant(rpA)), key)
	for _, name := range symbols(append(record.created[0], record.opened[0]...)) {
		if !slices.Contains(known, name) {
			t.Errorf("%s is declared nowhere", name)
		}
	}
}

// symbols are all symbols of a dictionary.
func symbols(a enclave.Attributes) []enclave.Symbol {
	var all []enclave.Symbol
	for _, one := range a {
		all = append(all, one.Name)
		switch v := one.Value.(type) {
		case enclave.Symbol:
			all = append(all, v)
		case enclave.Access:
			all = append(all, v.Accessible)
		case enclave.Attributes:
			all = append(all, symbols(v)...)
		}
	}
	return all
}

func TestSign(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.newKey(spec(authenticator.SigningKey, authenticator.PINBound, rpA))
	other := r.newKey(spec(authenticator.SigningKey, authenticator.PINBound, rpA))
	if string(key.Handle) == string(other.Handle) || string(key.Public.X) == string(other.Public.X) {
		t.Fatal("the same key twice")
	}
	g := r.grant(rpA)
	p := r.prepare(key, g)
	r.signs(p, key)
	if _, err := p.Sign(t.Context(), make([]byte, 32)); err == nil {
		t.Error("one preparation signed twice")
	}
	r.signs(r.prepare(other, g), other)

	p = r.prepare(key, nil)
	if _, err := p.Verify(t.Context(), secret.Bytes{}); ctap.StatusOf(err) != ctap.UVInvalid {
		t.Errorf("verified without a finger: %v", err)
	}
	_, err := p.Sign(t.Context(), make([]byte, 32))
	r.status(err, ctap.PUATRequired)
	g, err = p.Verify(r.touch(), secret.Bytes{})
	r.must(err)
	r.signs(p, key)
	r.signs(r.prepare(key, g), key)

	made, p, err := r.keys.CreatePrepared(t.Context(), key.KeySpec, r.grant(rpA))
	r.must(err)
	r.signs(p, made)
	free := r.newKey(spec(authenticator.SigningKey, authenticator.PresenceOnly, rpA))
	r.signs(r.prepare(free, nil), free)
	if _, err := r.prepare(free, nil).Verify(r.touch(), secret.Bytes{}); err == nil {
		t.Error("a key that wants no finger took one")
	}
}

type strange struct{}

func (strange) Drop() {}

func TestGrants(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.newKey(spec(authenticator.SigningKey, authenticator.PINBound, rpA))
	dropped := r.grant(rpA)
	dropped.Drop()
	dropped.Drop()
	for name, g := range map[string]authenticator.Grant{"another's": r.grant(rpB), "dropped": dropped, "foreign": strange{}} {
		if _, err := r.keys.Prepare(t.Context(), key, g); ctap.StatusOf(err) != ctap.PINAuthInvalid {
			t.Errorf("%s grant: %v", name, err)
		}
		created := r.chip.Calls("create")
		if _, _, err := r.keys.CreatePrepared(t.Context(), key.KeySpec, g); ctap.StatusOf(err) != ctap.PINAuthInvalid {
			t.Errorf("%s grant, new key: %v", name, err)
		}
		if r.chip.Calls("create") != created {
			t.Errorf("%s grant: a key all the same", name)
		}
	}
	late := r.grant(rpA)
	p := r.prepare(key, late)
	late.Drop()
	_, err := p.Sign(t.Context(), make([]byte, 32))
	r.status(err, ctap.PINAuthInvalid)
	if g, err := r.keys.Verify(r.touch(), secret.Bytes{}, nil); g != nil || err != nil {
		t.Errorf("a grant for nobody: %v, %v", g, err)
	}
}

// TestGrantExpires: a finger is good for a minute.
func TestGrantExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		key := r.newKey(spec(authenticator.SigningKey, authenticator.PINBound, rpA))
		g := r.grant(rpA)
		time.Sleep(authenticator.GrantLifetime - time.Second)
		r.signs(r.prepare(key, g), key)
		p := r.prepare(key, g)
		time.Sleep(2 * time.Second)
		_, err := p.Sign(t.Context(), make([]byte, 32))
		r.status(err, ctap.PINAuthInvalid)
	})
}

// TestHandles: a handle that is not this key's, or was changed, opens nothing.
func TestHandles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.newKey(spec(authenticator.SigningKey, authenticator.PINBound, rpA))
	other := r.newKey(spec(authenticator.SigningKey, authenticator.PINBound, rpA))
	for name, change := range map[string]func(k *authenticator.Key){
		"kind":          func(k *authenticator.Key) { k.Kind = authenticator.MACKey },
		"binding":       func(k *authenticator.Key) { k.Binding = authenticator.PresenceOnly },
		"relying party": func(k *authenticator.Key) { k.RPIDHash = rpB },
		"public key":    func(k *authenticator.Key) { k.Public = other.Public },
		"handle":        func(k *authenticator.Key) { k.Handle = other.Handle },
		"none":          func(k *authenticator.Key) { k.Handle = nil },
		"head only":     func(k *authenticator.Key) { k.Handle = k.Handle[:100] },
		"version":       func(k *authenticator.Key) { k.Handle[0]++ },
		"no point":      func(k *authenticator.Key) { k.Handle[60]++ },
		"huge":          func(k *authenticator.Key) { k.Handle = append(k.Handle, make([]byte, 10_000)...) },
	} {
		wrong := *key
		wrong.Handle = slices.Clone(key.Handle)
		change(&wrong)
		if _, err := r.keys.Prepare(t.Context(), &wrong, nil); err == nil {
			t.Errorf("%s: prepared", name)
		}
	}
	// A sealed key of another is only seen when it is opened.
	swapped := *key
	swapped.Handle = slices.Concat(key.Handle[:100], other.Handle[100:])
	_, err := r.prepare(&swapped, r.grant(rpA)).Sign(t.Context(), make([]byte, 32))
	r.status(err, ctap.InvalidCredential)
	// So is one of another Mac.
	elsewhere := newRig(t)
	foreign := elsewhere.newKey(key.KeySpec)
	if _, err := r.prepare(foreign, r.grant(rpA)).Sign(t.Context(), make([]byte, 32)); err == nil {
		t.Error("another Mac's key signed")
	}
	bare := *key
	bare.Public.X, bare.Public.Y = nil, nil
	r.signs(r.prepare(&bare, r.grant(rpA)), key)
}

// forgetful opens keys without their sealed form among the attributes.
type forgetful struct{ enclave.Security }

func (f forgetful) OpenKey(data []byte, a enclave.Attributes) (enclave.SecKey, error) {
	a = slices.DeleteFunc(slices.Clone(a), func(one enclave.Attribute) bool { return one.Name == macos.TokenOID })
	return f.Security.OpenKey(data, a)
}

// TestSilentlyNewKey: macOS makes a new key where the sealed one is not among the
// attributes. It must never sign.
func TestSilentlyNewKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.newKey(spec(authenticator.SigningKey, authenticator.PINBound, rpA))
	r.keys.Security = forgetful{r.chip}
	before := r.chip.Calls("use")
	_, err := r.prepare(key, r.grant(rpA)).Sign(t.Context(), make([]byte, 32))
	r.status(err, ctap.InvalidCredential)
	if r.chip.Calls("use") != before {
		t.Error("the wrong key was used")
	}
}

func TestMAC(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one := r.newKey(spec(authenticator.MACKey, authenticator.PINBound, rpA))
	two := r.newKey(spec(authenticator.MACKey, authenticator.PINBound, rpA))
	if len(one.Public.X) != 0 {
		t.Error("a MAC key has a public key")
	}
	g := r.grant(rpA)
	mac := func(key *authenticator.Key, data string) string {
		t.Helper()
		out, err := r.prepare(key, g).MAC(t.Context(), []byte(data))
		r.must(err)
		if out.Len() != 32 {
			t.Fatalf("a MAC of %d bytes", out.Len())
		}
		return string(out.Reveal())
	}
	first := mac(one, "salt")
	if mac(one, "salt") != first {
		t.Error("the same key and data give another MAC")
	}
	if mac(one, "pepper") == first || mac(two, "salt") == first || mac(one, "") == first {
		t.Error("another key or other data give the same MAC")
	}
	_, err := r.prepare(one, nil).MAC(t.Context(), []byte("salt"))
	r.status(err, ctap.PUATRequired)
	_, err = r.prepare(one, g).Sign(t.Context(), make([]byte, 32))
	r.status(err, ctap.InvalidParameter)
	_, err = r.prepare(one, g).MAC(t.Context(), make([]byte, 1025))
	r.status(err, ctap.InvalidLength)
}

// TestFaults: each call of Security fails once; nothing stays open, and no key is
// given away.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"create", "public", "attribute"} {
		r := newRig(t)
		r.chip.Fail(call, 1)
		if key, err := r.keys.Create(t.Context(), spec(authenticator.SigningKey, authenticator.PINBound, rpA)); err == nil || key != nil {
			t.Errorf("created although %s failed", call)
		}
	}
	for _, call := range []string{"open", "public", "use"} {
		r := newRig(t)
		key := r.newKey(spec(authenticator.SigningKey, authenticator.PINBound, rpA))
		g := r.grant(rpA)
		r.chip.Fail(call, 1)
		if _, err := r.prepare(key, g).Sign(t.Context(), make([]byte, 32)); err == nil {
			t.Errorf("signed although %s failed", call)
		}
		r.signs(r.prepare(key, g), key)
	}
	r := newRig(t)
	key := r.newKey(spec(authenticator.SigningKey, authenticator.PINBound, rpA))
	g := r.grant(rpA)
	r.chip.Locked = true
	_, err := r.prepare(key, g).Sign(t.Context(), make([]byte, 32))
	r.status(err, ctap.UPRequired)
	if p, ok := errors.AsType[*ctap.Problem](err); !ok || !strings.Contains(p.What, "locked") || p.Hint == "" {
		t.Errorf("a locked Mac is explained as %v", err)
	}
	r.chip.Locked = false
	r.keys.Protection = enclave.BiometryCurrentSet
	strict := r.newKey(key.KeySpec)
	r.chip.FingersChanged = true
	_, err = r.prepare(strict, g).Sign(t.Context(), make([]byte, 32))
	r.status(err, ctap.UVInvalid)
	if p, ok := errors.AsType[*ctap.Problem](err); !ok || !strings.Contains(p.Hint, "added or removed") {
		t.Errorf("other fingers are explained as %v", err)
	}
	r.signs(r.prepare(key, g), key)
}

func TestSpecs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, s := range []authenticator.KeySpec{
		{}, {Kind: authenticator.SigningKey}, {Binding: authenticator.PINBound}, {Kind: 9, Binding: authenticator.PINBound}, {Kind: authenticator.MACKey, Binding: 9},
	} {
		_, err := r.keys.Create(t.Context(), s)
		r.status(err, ctap.InvalidParameter)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	good := spec(authenticator.SigningKey, authenticator.PINBound, rpA)
	_, err := r.keys.Create(ctx, good)
	r.status(err, ctap.KeepaliveCancel)
	_, _, err = r.keys.CreatePrepared(ctx, good, nil)
	r.status(err, ctap.KeepaliveCancel)
	_, err = r.prepare(r.newKey(good), r.grant(rpA)).Sign(ctx, make([]byte, 32))
	r.status(err, ctap.KeepaliveCancel)
	if n := r.chip.Calls("create"); n != 1 {
		t.Errorf("%d keys were made, want 1", n)
	}
}

func TestFinger(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if !r.keys.IsSet() {
		t.Error("no finger is wanted")
	}
	r.status(r.keys.Change(t.Context(), secret.Bytes{}, secret.Bytes{}), ctap.NotAllowed)
	if n, err := r.keys.Retries(t.Context()); n < 1 || err != nil {
		t.Errorf("%d tries, %v", n, err)
	}
	_, err := r.keys.Verify(t.Context(), secret.Bytes{}, &rpA)
	r.status(err, ctap.UVInvalid)
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	g := r.grant(rpA)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			key, err := r.keys.Create(t.Context(), spec(authenticator.SigningKey, authenticator.PINBound, rpA))
			if err != nil {
				t.Error(err)
				return
			}
			p, err := r.keys.Prepare(t.Context(), key, g)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := p.Sign(t.Context(), make([]byte, 32)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestAAGUID(t *testing.T) {
	t.Parallel()
	a := enclave.AAGUID()
	if a == authenticator.TPMAAGUID() || a[6]>>4 != 4 || a[8]>>6 != 2 {
		t.Errorf("%s is not a random UUID of its own", a)
	}
}
