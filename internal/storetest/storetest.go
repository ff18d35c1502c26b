package storetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/credential"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// Run holds the stores that open makes, each empty and unlocked, to the contract
// of authenticator.Store.
func Run(t *testing.T, open func(t *testing.T) authenticator.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, authenticator.Store)
	}{
		{"empty", empty},
		{"everything comes back", comesBack},
		{"returned values are the caller's own", ownCopies},
		{"newest first by service, oldest first in all", order},
		{"many", many},
		{"put again", putAgain},
		{"replaced", replaced},
		{"moved to another service", moved},
		{"delete", deletes},
		{"each while deleting", eachWhileDeleting},
		{"each stopped", eachStopped},
		{"page by page", pages},
		{"sign count", signCount},
		{"sign count of several at once", signCountRace},
		{"used", used},
		{"settings", settings},
		{"audit trail", trail},
		{"values", values},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// Credential makes a credential with every field set, for the n-th account of
// rpID.
func Credential(t testing.TB, rpID string, n int) *authenticator.Credential {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := cose.FromECDSA(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, credential.IDBytes)
	handle := make([]byte, 400)
	_, _ = rand.Read(id)
	_, _ = rand.Read(handle)
	return &authenticator.Credential{
		ID: id,
		RP: ctap.RelyingParty{ID: rpID, Name: "The service " + rpID},
		User: ctap.User{
			ID: fmt.Appendf(nil, "user handle %d", n), Name: fmt.Sprintf("account%d@%s", n, rpID),
			DisplayName: fmt.Sprintf("Person %d", n),
		},
		Key: authenticator.Key{
			KeySpec: authenticator.KeySpec{
				Kind: authenticator.SigningKey, Binding: authenticator.PINBound, RPIDHash: sha256.Sum256([]byte(rpID)),
			},
			Handle: handle,
			Public: public,
		},
		MACWithUV:    slices.Clone(handle[:90]),
		MACWithoutUV: slices.Clone(handle[90:180]),
		Discoverable: true, Hidden: true,
		Blob: []byte("what the site keeps"), ThirdPartyPayment: true, LargeBlobKey: slices.Clone(handle[:32]),
		Protection: authenticator.UVRequired,
		AAGUID:     webauthn.AAGUID{1, 2, 3, 15: 16},
		Backup:     0,
		SignCount:  uint32(n), //nolint:gosec // tests count small
		Created:    time.Unix(1_700_000_000, 123_456_789).UTC(),
		LastUsed:   time.Unix(1_700_000_100, 0).UTC(),
		Uses:       3,
	}
}

func put(t *testing.T, s authenticator.Store, c *authenticator.Credential, replaced ...[]byte) {
	t.Helper()
	if err := s.Put(c, replaced...); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

func byID(t *testing.T, s authenticator.Store, id []byte) *authenticator.Credential {
	t.Helper()
	c, err := s.ByID(id)
	if err != nil {
		t.Fatalf("ByID: %v", err)
	}
	return c
}

func byRP(t *testing.T, s authenticator.Store, rpID string) []string {
	t.Helper()
	found, err := s.ByRP(sha256.Sum256([]byte(rpID)))
	if err != nil {
		t.Fatalf("ByRP: %v", err)
	}
	return names(found)
}

func all(t *testing.T, s authenticator.Store) []string {
	t.Helper()
	var found []*authenticator.Credential
	for c, err := range s.Each() {
		if err != nil {
			t.Fatalf("Each: %v", err)
		}
		found = append(found, c)
	}
	return names(found)
}

func names(cs []*authenticator.Credential) []string {
	out := []string{}
	for _, c := range cs {
		out = append(out, c.User.Name)
	}
	return out
}

func count(t *testing.T, s authenticator.Store, want int) {
	t.Helper()
	got, err := s.Count()
	if err != nil || got != want {
		t.Fatalf("Count is %d, %v; want %d", got, err, want)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func empty(t *testing.T, s authenticator.Store) {
	count(t, s, 0)
	equal(t, "Each", all(t, s), []string{})
	equal(t, "ByRP", byRP(t, s, "a.example"), []string{})
	if c := byID(t, s, []byte("no such id")); c != nil {
		t.Errorf("ByID of nothing gave %+v", c)
	}
	got, err := s.Settings()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "Settings", got, authenticator.DefaultSettings())
}

func comesBack(t *testing.T, s authenticator.Store) {
	full := Credential(t, "a.example", 1)
	bare := &authenticator.Credential{
		ID: []byte{0}, RP: ctap.RelyingParty{ID: "b.example"}, User: ctap.User{ID: []byte{1}},
		Key: authenticator.Key{KeySpec: authenticator.KeySpec{
			Kind: authenticator.MACKey, Binding: authenticator.PresenceOnly,
		}},
		Protection: authenticator.UVOptional,
	}
	for _, c := range []*authenticator.Credential{full, bare} {
		put(t, s, c)
		equal(t, "ByID", byID(t, s, c.ID), c)
	}
	found, err := s.ByRP(sha256.Sum256([]byte("a.example")))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "ByRP", found, []*authenticator.Credential{full})
	count(t, s, 2)
}

func ownCopies(t *testing.T, s authenticator.Store) {
	c := Credential(t, "a.example", 1)
	put(t, s, c)
	want := byID(t, s, c.ID)
	for _, mine := range []*authenticator.Credential{c, byID(t, s, c.ID)} {
		clear(mine.Key.Handle)
		clear(mine.Key.Public.X)
		clear(mine.User.ID)
		mine.RP.Name = "changed"
	}
	equal(t, "the stored credential", byID(t, s, want.ID), want)
}

func order(t *testing.T, s authenticator.Store) {
	for n := range 6 {
		c := Credential(t, []string{"a.example", "b.example"}[n%2], n)
		c.Created = time.Unix(int64(1_700_000_000-n), 0) // a clock that runs backwards
		put(t, s, c)
	}
	equal(t, "a.example", byRP(t, s, "a.example"), []string{"account4@a.example", "account2@a.example", "account0@a.example"})
	equal(t, "b.example", byRP(t, s, "b.example"), []string{"account5@b.example", "account3@b.example", "account1@b.example"})
	equal(t, "all", all(t, s), []string{
		"account0@a.example", "account1@b.example", "account2@a.example",
		"account3@b.example", "account4@a.example", "account5@b.example",
	})
}

func many(t *testing.T, s authenticator.Store) {
	const total = 150 // more than one page of any reasonable size
	want := []string{}
	for n := range total {
		c := Credential(t, "a.example", n)
		put(t, s, c)
		want = append(want, c.User.Name)
	}
	equal(t, "Each", all(t, s), want)
	slices.Reverse(want)
	equal(t, "ByRP", byRP(t, s, "a.example"), want)
	count(t, s, total)
}

func putAgain(t *testing.T, s authenticator.Store) {
	first, second := Credential(t, "a.example", 1), Credential(t, "a.example", 2)
	put(t, s, first)
	put(t, s, second)
	for range 5 {
		if _, err := s.NextSignCount(first.ID); err != nil {
			t.Fatal(err)
		}
	}
	first.User.Name = "renamed"
	put(t, s, first) // with the sign count of before
	equal(t, "order", byRP(t, s, "a.example"), []string{second.User.Name, "renamed"})
	if got := byID(t, s, first.ID).SignCount; got != 6 {
		t.Errorf("putting a credential again took its sign count from 6 to %d", got)
	}
	count(t, s, 2)
}

func replaced(t *testing.T, s authenticator.Store) {
	old, other, fresh := Credential(t, "a.example", 1), Credential(t, "a.example", 2), Credential(t, "a.example", 3)
	put(t, s, old)
	put(t, s, other)
	put(t, s, fresh, old.ID, []byte("never there"), fresh.ID)
	equal(t, "order", byRP(t, s, "a.example"), []string{fresh.User.Name, other.User.Name})
	if byID(t, s, old.ID) != nil {
		t.Error("the replaced credential is still there")
	}
	count(t, s, 2)
}

func moved(t *testing.T, s authenticator.Store) {
	c := Credential(t, "a.example", 1)
	put(t, s, c)
	c.RP.ID = "b.example"
	put(t, s, c)
	equal(t, "a.example", byRP(t, s, "a.example"), []string{})
	equal(t, "b.example", byRP(t, s, "b.example"), []string{c.User.Name})
	count(t, s, 1)
}

func deletes(t *testing.T, s authenticator.Store) {
	a, b := Credential(t, "a.example", 1), Credential(t, "a.example", 2)
	put(t, s, a)
	put(t, s, b)
	for range 2 { // the second time it is not there
		if err := s.Delete(a.ID); err != nil {
			t.Fatal(err)
		}
		count(t, s, 1)
	}
	if byID(t, s, a.ID) != nil {
		t.Error("the deleted credential is still there")
	}
	equal(t, "ByRP", byRP(t, s, "a.example"), []string{b.User.Name})
	equal(t, "Each", all(t, s), []string{b.User.Name})
	if _, err := s.NextSignCount(a.ID); err == nil {
		t.Error("a deleted credential still counts")
	}
}

func eachWhileDeleting(t *testing.T, s authenticator.Store) {
	const total = 130
	for n := range total {
		put(t, s, Credential(t, "a.example", n))
	}
	seen := 0
	for c, err := range s.Each() {
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(c.ID); err != nil {
			t.Fatal(err)
		}
		seen++
	}
	if seen != total {
		t.Errorf("saw %d of %d", seen, total)
	}
	count(t, s, 0)
}

func eachStopped(t *testing.T, s authenticator.Store) {
	for n := range 3 {
		put(t, s, Credential(t, "a.example", n))
	}
	for c, err := range s.Each() {
		if err != nil || c.User.Name != "account0@a.example" {
			t.Fatalf("first is %+v, %v", c, err)
		}
		break
	}
	put(t, s, Credential(t, "a.example", 3)) // hangs if Each still holds on to something
}

func signCount(t *testing.T, s authenticator.Store) {
	a, b := Credential(t, "a.example", 7), Credential(t, "a.example", 0)
	put(t, s, a)
	put(t, s, b)
	for want := uint32(8); want < 12; want++ {
		got, err := s.NextSignCount(a.ID)
		if err != nil || got != want {
			t.Fatalf("NextSignCount is %d, %v; want %d", got, err, want)
		}
		if stored := byID(t, s, a.ID).SignCount; stored != want {
			t.Fatalf("the stored count is %d; want %d", stored, want)
		}
	}
	if got, err := s.NextSignCount(b.ID); err != nil || got != 1 {
		t.Errorf("the other's count is %d, %v; want 1", got, err)
	}
	if _, err := s.NextSignCount([]byte("nobody")); !errors.Is(err, ctap.NoCredentials) {
		t.Errorf("a count for nobody: %v", err)
	}
	last := Credential(t, "a.example", 0)
	last.SignCount = 1<<32 - 1
	put(t, s, last)
	if n, err := s.NextSignCount(last.ID); err == nil {
		t.Errorf("the count wrapped to %d", n)
	}
}

func signCountRace(t *testing.T, s authenticator.Store) {
	c := Credential(t, "a.example", 0)
	put(t, s, c)
	const callers, each = 4, 10
	var mu sync.Mutex
	seen := make(map[uint32]bool)
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range each {
				n, err := s.NextSignCount(c.ID)
				mu.Lock()
				if err != nil || seen[n] {
					t.Errorf("count %d, %v, seen before: %t", n, err, seen[n])
				}
				seen[n] = true
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if got := byID(t, s, c.ID).SignCount; got != callers*each {
		t.Errorf("after %d uses the count is %d", callers*each, got)
	}
}

func used(t *testing.T, s authenticator.Store) {
	c := Credential(t, "a.example", 1)
	c.Uses, c.LastUsed = 0, time.Time{}
	put(t, s, c)
	if !byID(t, s, c.ID).LastUsed.IsZero() {
		t.Error("never used, and yet it was")
	}
	early, late := time.Unix(1_700_000_200, 0).UTC(), time.Unix(1_700_000_300, 0).UTC()
	s.Used(c.ID, late)
	s.Used(c.ID, early) // notes may arrive in any order
	s.Used([]byte("nobody"), late)
	check := func(when string) {
		t.Helper()
		got := byID(t, s, c.ID)
		if got.Uses != 2 || !got.LastUsed.Equal(late) {
			t.Errorf("%s: %d uses, last %v; want 2, %v", when, got.Uses, got.LastUsed, late)
		}
	}
	check("at once")
	put(t, s, byID(t, s, c.ID)) // a rename: reads, then puts
	check("after putting it again")
	if _, err := s.NextSignCount(c.ID); err != nil {
		t.Fatal(err)
	}
	check("after another write")
	if err := s.Delete(c.ID); err != nil {
		t.Fatal(err)
	}
	s.Used(c.ID, late)
	count(t, s, 0)
}

func values(t *testing.T, s authenticator.Store) {
	want := map[string][]byte{"one": []byte("first"), "two": make([]byte, 16<<10)}
	for name, value := range want {
		if got, err := s.Value(name); err != nil || got != nil {
			t.Errorf("before: %d bytes, %v", len(got), err)
		}
		for range 2 {
			if err := s.PutValue(name, value); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, value := range want {
		got, err := s.Value(name)
		if err != nil || got == nil {
			t.Fatalf("%s: %v, %v", name, got, err)
		}
		equal(t, name, got, value)
	}
}

func settings(t *testing.T, s authenticator.Store) {
	for _, want := range []authenticator.Settings{
		{AlwaysUV: true, MinPINLength: 12, ForcePINChange: true, MinPINLengthRPIDs: []string{"example.com"}, PINLength: 13},
		{},
	} {
		if err := s.PutSettings(want); err != nil {
			t.Fatal(err)
		}
		got, err := s.Settings()
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "Settings", got, want)
	}
}
