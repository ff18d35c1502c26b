package keystest

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"sync"
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// Hardware is one generation without a PIN and without keys.
type Hardware struct {
	Keys authenticator.Keys
	PIN  authenticator.PIN
	// Attempts is how many wrong PINs lock it.
	Attempts int
}

// Run runs the suite. fresh gives new hardware, independent of what it gave before.
func Run(t *testing.T, fresh func(t *testing.T) Hardware) {
	t.Helper()
	tests := map[string]func(*suite){
		"first PIN":                (*suite).firstPIN,
		"wrong PIN":                (*suite).wrongPIN,
		"changed PIN":              (*suite).changedPIN,
		"lockout":                  (*suite).lockout,
		"create":                   (*suite).create,
		"sign with a grant":        (*suite).signWithGrant,
		"sign with the PIN":        (*suite).signWithPIN,
		"no grant, no signature":   (*suite).noGrant,
		"presence only":            (*suite).presenceOnly,
		"another relying party":    (*suite).otherRP,
		"dropped and foreign":      (*suite).droppedGrant,
		"not the key it is called": (*suite).mismatch,
		"MAC":                      (*suite).mac,
		"one use":                  (*suite).oneUse,
		"cancelled":                (*suite).cancelled,
		"concurrent":               (*suite).concurrent,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test(&suite{T: t, Hardware: fresh(t)})
		})
	}
}

type suite struct {
	*testing.T
	Hardware
}

// The relying parties of the suite.
func rpA() [32]byte { return sha256.Sum256([]byte("a.example")) }
func rpB() [32]byte { return sha256.Sum256([]byte("b.example")) }

// pin is the right one, throughout.
const pin = "1234"

// Hash is a PIN as the hardware sees it.
func Hash(pin string) secret.Bytes {
	digest := sha256.Sum256([]byte(pin))
	return secret.Of(digest[:16])
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *suite) setPIN() {
	s.Helper()
	s.must(s.PIN.Change(s.Context(), secret.Bytes{}, Hash(pin)))
}

func (s *suite) retries(want int) {
	s.Helper()
	got, err := s.PIN.Retries(s.Context())
	s.must(err)
	if got != want {
		s.Fatalf("%d attempts left, want %d", got, want)
	}
}

// refusedPIN checks a refusal and what it says is left.
func (s *suite) refusedPIN(err error, left int) {
	s.Helper()
	var wrong *authenticator.WrongPIN
	if !errors.As(err, &wrong) || wrong.Retries != left {
		s.Fatalf("got %v, want a wrong PIN with %d attempts left", err, left)
	}
	want := ctap.PINInvalid
	if left == 0 {
		want = ctap.PINBlocked
	}
	if ctap.StatusOf(err) != want {
		s.Fatalf("status %v, want %v", ctap.StatusOf(err), want)
	}
}

func (s *suite) refused(err error, want ctap.Status) {
	s.Helper()
	if ctap.StatusOf(err) != want {
		s.Fatalf("got %v, want %v", err, want)
	}
}

func (s *suite) grant(pin string, rp [32]byte) authenticator.Grant {
	s.Helper()
	g, err := s.PIN.Verify(s.Context(), Hash(pin), &rp)
	s.must(err)
	if g == nil {
		s.Fatal("no grant")
	}
	return g
}

func (s *suite) newKey(kind authenticator.KeyKind, binding authenticator.Binding, rp [32]byte) *authenticator.Key {
	s.Helper()
	spec := authenticator.KeySpec{Kind: kind, Binding: binding, RPIDHash: rp}
	key, err := s.Keys.Create(s.Context(), spec)
	s.must(err)
	if key.KeySpec != spec {
		s.Fatalf("created %+v, asked for %+v", key.KeySpec, spec)
	}
	return key
}

func (s *suite) prepare(key *authenticator.Key, g authenticator.Grant) authenticator.Prepared {
	s.Helper()
	p, err := s.Keys.Prepare(s.Context(), key, g)
	s.must(err)
	s.Cleanup(func() {
		if err := p.Close(); err != nil {
			s.Error(err)
		}
	})
	return p
}

// sign signs something new and checks it.
func (s *suite) sign(p authenticator.Prepared, key *authenticator.Key) {
	s.Helper()
	s.must(signed(s.Context(), p, key))
}

func signed(ctx context.Context, p authenticator.Prepared, key *authenticator.Key) error {
	var digest [32]byte
	if _, err := rand.Read(digest[:]); err != nil {
		return err
	}
	signature, err := p.Sign(ctx, digest)
	if err != nil {
		return err
	}
	public, err := key.Public.ECDSA()
	if err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(public, digest[:], signature) {
		return errors.New("the signature does not verify")
	}
	return nil
}

func (s *suite) firstPIN() {
	if s.PIN.IsSet() {
		s.Fatal("new hardware has a PIN")
	}
	_, err := s.PIN.Verify(s.Context(), Hash("0000"), nil)
	s.refused(err, ctap.PINNotSet)
	s.refused(s.PIN.Change(s.Context(), Hash("0000"), Hash(pin)), ctap.PINNotSet)
	s.retries(s.Attempts)
	s.setPIN()
	if !s.PIN.IsSet() {
		s.Fatal("the PIN is not set")
	}
	g, err := s.PIN.Verify(s.Context(), Hash(pin), nil)
	s.must(err)
	if g != nil {
		s.Fatal("a grant for nobody")
	}
	s.refused(s.PIN.Change(s.Context(), secret.Bytes{}, Hash("5678")), ctap.PINAuthInvalid)
	s.refused(s.PIN.Change(s.Context(), Hash(pin), secret.Of([]byte("short"))), ctap.InvalidParameter)
	_, err = s.PIN.Verify(s.Context(), secret.Of(make([]byte, 32)), nil)
	s.refused(err, ctap.InvalidParameter)
	s.retries(s.Attempts)
}

func (s *suite) wrongPIN() {
	s.setPIN()
	_, err := s.PIN.Verify(s.Context(), Hash("0000"), nil)
	s.refusedPIN(err, s.Attempts-1)
	_, err = s.PIN.Verify(s.Context(), Hash("0001"), new(rpA()))
	s.refusedPIN(err, s.Attempts-2)
	s.refusedPIN(s.PIN.Change(s.Context(), Hash("0002"), Hash("9999")), s.Attempts-3)
	s.retries(s.Attempts - 3)
	s.grant(pin, rpA())
	s.retries(s.Attempts)
}

func (s *suite) changedPIN() {
	s.setPIN()
	s.must(s.PIN.Change(s.Context(), Hash(pin), Hash("5678")))
	_, err := s.PIN.Verify(s.Context(), Hash(pin), nil)
	s.refusedPIN(err, s.Attempts-1)
	_, err = s.PIN.Verify(s.Context(), Hash("5678"), nil)
	s.must(err)
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	s.must(s.PIN.Change(s.Context(), Hash("5678"), Hash("4321")))
	s.sign(s.prepare(key, s.grant("4321", rpA())), key)
}

func (s *suite) lockout() {
	s.setPIN()
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	free := s.newKey(authenticator.SigningKey, authenticator.PresenceOnly, rpA())
	for left := s.Attempts - 1; left >= 0; left-- {
		_, err := s.PIN.Verify(s.Context(), Hash("wrong"), nil)
		s.refusedPIN(err, left)
	}
	_, err := s.PIN.Verify(s.Context(), Hash(pin), nil)
	s.refusedPIN(err, 0)
	s.refusedPIN(s.PIN.Change(s.Context(), Hash(pin), Hash("5678")), 0)
	_, err = s.prepare(key, nil).Verify(s.Context(), Hash(pin))
	s.refusedPIN(err, 0)
	s.retries(0)
	s.sign(s.prepare(free, nil), free)
}

func (s *suite) create() {
	a := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	b := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	if string(a.Handle) == string(b.Handle) || string(a.Public.X) == string(b.Public.X) {
		s.Fatal("the same key twice")
	}
	if m := s.newKey(authenticator.MACKey, authenticator.PINBound, rpA()); len(m.Public.X) != 0 {
		s.Fatal("a MAC key has a public key")
	}
	for _, spec := range []authenticator.KeySpec{
		{},
		{Kind: authenticator.SigningKey},
		{Binding: authenticator.PINBound},
		{Kind: 9, Binding: authenticator.PINBound},
		{Kind: authenticator.MACKey, Binding: 9},
	} {
		if _, err := s.Keys.Create(s.Context(), spec); err == nil {
			s.Errorf("created %+v", spec)
		}
	}
}

func (s *suite) signWithGrant() {
	s.setPIN()
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	g := s.grant(pin, rpA())
	s.sign(s.prepare(key, g), key)
	s.sign(s.prepare(key, g), key)
	other := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	s.sign(s.prepare(other, g), other)
}

func (s *suite) signWithPIN() {
	s.setPIN()
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	p := s.prepare(key, nil)
	_, err := p.Verify(s.Context(), Hash("0000"))
	s.refusedPIN(err, s.Attempts-1)
	_, err = p.Verify(s.Context(), Hash("0001"))
	s.refusedPIN(err, s.Attempts-2)
	g, err := p.Verify(s.Context(), Hash(pin))
	s.must(err)
	s.sign(p, key)
	s.retries(s.Attempts)
	mac := s.newKey(authenticator.MACKey, authenticator.PINBound, rpA())
	_, err = s.prepare(mac, g).MAC(s.Context(), []byte("salt"))
	s.must(err)
}

func (s *suite) noGrant() {
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	_, err := s.prepare(key, nil).Verify(s.Context(), Hash(pin))
	s.refused(err, ctap.PINNotSet)
	s.setPIN()
	_, err = s.prepare(key, nil).Sign(s.Context(), [32]byte{})
	s.refused(err, ctap.PUATRequired)
	p := s.prepare(key, nil)
	_, err = p.Verify(s.Context(), Hash("0000"))
	s.refusedPIN(err, s.Attempts-1)
	_, err = p.Sign(s.Context(), [32]byte{})
	s.refused(err, ctap.PUATRequired)
}

func (s *suite) presenceOnly() {
	key := s.newKey(authenticator.SigningKey, authenticator.PresenceOnly, rpA())
	s.sign(s.prepare(key, nil), key)
	s.setPIN()
	s.sign(s.prepare(key, nil), key)
	if _, err := s.prepare(key, nil).Verify(s.Context(), Hash(pin)); err == nil {
		s.Fatal("a presence-only key took a PIN")
	}
	s.retries(s.Attempts)
}

func (s *suite) otherRP() {
	s.setPIN()
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	_, err := s.Keys.Prepare(s.Context(), key, s.grant(pin, rpB()))
	s.refused(err, ctap.PINAuthInvalid)
	moved := *key
	moved.RPIDHash = rpB()
	if _, err = s.Keys.Prepare(s.Context(), &moved, s.grant(pin, rpB())); err == nil {
		s.Fatal("a key works for another relying party")
	}
}

type strange struct{}

func (strange) Drop() {}

func (s *suite) droppedGrant() {
	s.setPIN()
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	g := s.grant(pin, rpA())
	g.Drop()
	g.Drop()
	_, err := s.Keys.Prepare(s.Context(), key, g)
	s.refused(err, ctap.PINAuthInvalid)
	_, err = s.Keys.Prepare(s.Context(), key, strange{})
	s.refused(err, ctap.PINAuthInvalid)
}

func (s *suite) mismatch() {
	s.setPIN()
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	other := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	g := s.grant(pin, rpA())
	for name, change := range map[string]func(k *authenticator.Key){
		"kind":       func(k *authenticator.Key) { k.Kind = authenticator.MACKey },
		"binding":    func(k *authenticator.Key) { k.Binding = authenticator.PresenceOnly },
		"public key": func(k *authenticator.Key) { k.Public = other.Public },
		"handle":     func(k *authenticator.Key) { k.Handle = other.Handle },
		"no handle":  func(k *authenticator.Key) { k.Handle = nil },
		"cut short":  func(k *authenticator.Key) { k.Handle = k.Handle[:len(k.Handle)-1] },
		"longer":     func(k *authenticator.Key) { k.Handle = append([]byte(nil), append(k.Handle, 0)...) },
	} {
		wrong := *key
		change(&wrong)
		if p, err := s.Keys.Prepare(s.Context(), &wrong, g); err == nil {
			p.Close() //nolint:errcheck // The test has failed.
			s.Errorf("%s: prepared", name)
		}
	}
	bare := *key
	bare.Public.X, bare.Public.Y = nil, nil
	s.sign(s.prepare(&bare, g), key)
}

func (s *suite) mac() {
	s.setPIN()
	g := s.grant(pin, rpA())
	one := s.newKey(authenticator.MACKey, authenticator.PINBound, rpA())
	two := s.newKey(authenticator.MACKey, authenticator.PINBound, rpA())
	free := s.newKey(authenticator.MACKey, authenticator.PresenceOnly, rpA())
	mac := func(key *authenticator.Key, g authenticator.Grant, data string) string {
		s.Helper()
		out, err := s.prepare(key, g).MAC(s.Context(), []byte(data))
		s.must(err)
		if out.Len() != sha256.Size {
			s.Fatalf("a MAC of %d bytes", out.Len())
		}
		return string(out.Reveal())
	}
	first := mac(one, g, "salt")
	if mac(one, g, "salt") != first {
		s.Error("the same key and data give another MAC")
	}
	if mac(one, g, "pepper") == first || mac(two, g, "salt") == first || mac(free, nil, "salt") == first {
		s.Error("another key or other data give the same MAC")
	}
	_, err := s.prepare(one, nil).MAC(s.Context(), []byte("salt"))
	s.refused(err, ctap.PUATRequired)
	_, err = s.prepare(free, nil).Sign(s.Context(), [32]byte{})
	s.refused(err, ctap.InvalidParameter)
}

func (s *suite) oneUse() {
	s.setPIN()
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	p := s.prepare(key, s.grant(pin, rpA()))
	s.sign(p, key)
	if _, err := p.Sign(s.Context(), [32]byte{}); err == nil {
		s.Error("one preparation signed twice")
	}
}

func (s *suite) cancelled() {
	s.setPIN()
	key := s.newKey(authenticator.SigningKey, authenticator.PINBound, rpA())
	p := s.prepare(key, s.grant(pin, rpA()))
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	_, err := p.Sign(ctx, [32]byte{})
	s.refused(err, ctap.KeepaliveCancel)
	_, err = s.Keys.Create(ctx, key.KeySpec)
	s.refused(err, ctap.KeepaliveCancel)
	_, err = s.PIN.Verify(ctx, Hash("0000"), nil)
	s.refused(err, ctap.KeepaliveCancel)
	s.retries(s.Attempts)
}

// concurrent has several requests at once; the hardware has room for few.
func (s *suite) concurrent() {
	const each = 3
	s.setPIN()
	g := s.grant(pin, rpA())
	var done sync.WaitGroup
	for range 4 {
		done.Go(func() {
			for range each {
				if err := s.once(g); err != nil {
					s.Error(err)
				}
			}
		})
		done.Go(func() {
			for range each {
				if _, err := s.PIN.Verify(s.Context(), Hash(pin), nil); err != nil {
					s.Error(err)
				}
			}
		})
	}
	done.Wait()
	s.retries(s.Attempts)
}

func (s *suite) once(g authenticator.Grant) error {
	key, err := s.Keys.Create(s.Context(), authenticator.KeySpec{
		Kind: authenticator.SigningKey, Binding: authenticator.PINBound, RPIDHash: rpA(),
	})
	if err != nil {
		return err
	}
	p, err := s.Keys.Prepare(s.Context(), key, g)
	if err != nil {
		return err
	}
	return errors.Join(signed(s.Context(), p, key), p.Close())
}
