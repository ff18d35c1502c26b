package keystest

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"errors"
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
		"create and use":           (*suite).createAndUse,
		"algorithms":               (*suite).algorithms,
		"create, then the PIN":     (*suite).createThenPIN,
		"create under no grant":    (*suite).createUnderNoGrant,
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

func spec(kind authenticator.KeyKind, binding authenticator.Binding, rp [32]byte) authenticator.KeySpec {
	return authenticator.KeySpec{Kind: kind, Binding: binding, RPIDHash: rp}
}

func (s *suite) newKey(kind authenticator.KeyKind, binding authenticator.Binding, rp [32]byte) *authenticator.Key {
	s.Helper()
	key, err := s.Keys.Create(s.Context(), spec(kind, binding, rp))
	s.must(err)
	if key.KeySpec != spec(kind, binding, rp) {
		s.Fatalf("created %+v", key.KeySpec)
	}
	return key
}

func (s *suite) prepare(key *authenticator.Key, g authenticator.Grant) authenticator.Prepared {
	s.Helper()
	p, err := s.Keys.Prepare(s.Context(), key, g)
	s.must(err)
	s.closes(p)
	return p
}

// newPrepared is newKey and prepare at once.
func (s *suite) newPrepared(want authenticator.KeySpec, g authenticator.Grant) (*authenticator.Key, authenticator.Prepared) {
	s.Helper()
	key, p, err := s.Keys.CreatePrepared(s.Context(), want, g)
	s.must(err)
	s.closes(p)
	if key.KeySpec != want {
		s.Fatalf("created %+v, asked for %+v", key.KeySpec, want)
	}
	return key, p
}

func (s *suite) closes(p authenticator.Prepared) {
	s.Cleanup(func() {
		if err := p.Close(); err != nil {
			s.Error(err)
		}
	})
}

// sign signs something new and checks it.
func (s *suite) sign(p authenticator.Prepared, key *authenticator.Key) {
	s.Helper()
	s.must(signed(s.Context(), p, key))
}

func signed(ctx context.Context, p authenticator.Prepared, key *authenticator.Key) error {
	message := make([]byte, 100)
	if _, err := rand.Read(message); err != nil {
		return err
	}
	digest := key.Digest(message)
	signature, err := p.Sign(ctx, digest)
	if err != nil {
		return err
	}
	public, err := key.Public.ECDSA()
	if err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(public, digest, signature) {
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
