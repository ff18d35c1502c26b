package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/store"
	"github.com/localpasskey/localpasskey/internal/storetest"
)

// filled makes a store of n credentials, closed, and tells what is in it.
func filled(t testing.TB, n int) (path string, all []*authenticator.Credential) {
	t.Helper()
	path = newPath(t)
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	steps := []error{s.Ledger().Save([]byte("the hardware's record")), s.Unlock(key(1), generation(1))}
	for i := range n {
		c := storetest.Credential(t, fmt.Sprintf("site%d.example", i%7), i)
		all = append(all, c)
		steps = append(steps, s.Put(c))
		s.Note(ctap.AuditEntry{Event: ctap.AuditCreated, RPID: c.RP.ID, Account: c.User.Name})
	}
	settings := authenticator.Settings{MinPINLength: 9}
	if err := errors.Join(append(steps, s.PutSettings(settings), s.PutValue("kept", []byte("it")), s.Close())...); err != nil {
		t.Fatal(err)
	}
	return path, all
}

// openAndUnlock gives the first error on the way to an unlocked store.
func openAndUnlock(path string, k secret.Bytes, g [16]byte) error {
	s, err := store.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(s.Unlock(k, g), s.Close())
}

func hash(t *testing.T, path string) [32]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}

// TestRefused holds that each reason to refuse a file has words of its own, and
// that the file stays as it was.
func TestRefused(t *testing.T) {
	edit := func(change func(*bbolt.Tx) error) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			t.Helper()
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Update(change), db.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	write := func(b []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			t.Helper()
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	head := []byte("localpasskey")
	for _, c := range []struct {
		name   string
		what   string
		status ctap.Status
		spoil  func(*testing.T, string)
		key    byte
	}{
		{"empty file", "is not a LocalPasskey store", ctap.Other, write(nil), 1},
		{"text", "is not a LocalPasskey store", ctap.Other, write([]byte(strings.Repeat("text ", 9000))), 1},
		{"another program's database", "is not a LocalPasskey store", ctap.Other, edit(func(tx *bbolt.Tx) error {
			return tx.DeleteBucket(head)
		}), 1},
		{"other version", "has format 1, and this localpasskey reads format 2 only", ctap.Other, edit(func(tx *bbolt.Tx) error {
			return tx.Bucket(head).Put([]byte("schema"), binary.BigEndian.AppendUint32(nil, 1))
		}), 1},
		{"no version", "failed its integrity check", ctap.IntegrityFailure, edit(func(tx *bbolt.Tx) error {
			return tx.Bucket(head).Delete([]byte("schema"))
		}), 1},
		{"cut short", "is cut short", ctap.IntegrityFailure, func(t *testing.T, path string) {
			if err := os.Truncate(path, 20<<10); err != nil {
				t.Fatal(err)
			}
		}, 1},
		{"cut after the first page", "is cut short", ctap.IntegrityFailure, func(t *testing.T, path string) {
			if err := os.Truncate(path, 4096); err != nil {
				t.Fatal(err)
			}
		}, 1},
		{"wrong key", "key does not open the store", ctap.Other, func(*testing.T, string) {}, 2},
		{"a head's checksum", "failed its integrity check", ctap.IntegrityFailure, flip(16 + 56), 1},
		{"a bucket gone", "failed its integrity check", ctap.IntegrityFailure, edit(func(tx *bbolt.Tx) error {
			return tx.DeleteBucket([]byte("counters"))
		}), 1},
		{"a generation gone", "failed its integrity check", ctap.IntegrityFailure, edit(func(tx *bbolt.Tx) error {
			return tx.Bucket(head).Delete([]byte("generation"))
		}), 1},
		{"settings under another name", "failed its integrity check", ctap.IntegrityFailure, renamed("settings", "settingz"), 1},
		{"a value under another name", "failed its integrity check", ctap.IntegrityFailure, renamed("value kept", "value kepu"), 1},
		{"a credential gone", "failed its integrity check", ctap.IntegrityFailure, edit(func(tx *bbolt.Tx) error {
			first, _ := tx.Bucket([]byte("credentials")).Cursor().First()
			return tx.Bucket([]byte("credentials")).Delete(first)
		}), 1},
		{"an id gone", "failed its integrity check", ctap.IntegrityFailure, edit(func(tx *bbolt.Tx) error {
			first, _ := tx.Bucket([]byte("ids")).Cursor().First()
			return tx.Bucket([]byte("ids")).Delete(first)
		}), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, _ := filled(t, 40)
			c.spoil(t, path)
			before := hash(t, path)
			err := openAndUnlock(path, key(c.key), generation(1))
			var problem *ctap.Problem
			if !errors.As(err, &problem) {
				t.Fatalf("no problem: %v", err)
			}
			if !strings.Contains(problem.What, c.what) || problem.Hint == "" || problem.Status != c.status {
				t.Errorf("it says %q, hint %q, status %v; want %q, %v", problem.What, problem.Hint, problem.Status, c.what, c.status)
			}
			if hash(t, path) != before {
				t.Error("the file has changed")
			}
		})
	}
}

// renamed spoils the name of an entry in the head, where its last letter is.
func renamed(from, to string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		file, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(file, []byte(from)) {
			t.Fatalf("no %s in the file: %v", from, err)
		}
		if err := os.WriteFile(path, bytes.ReplaceAll(file, []byte(from), []byte(to)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// flip changes one byte of a file.
func flip(at int64) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1)
		_, err = f.ReadAt(b, at)
		b[0] ^= 0x41
		_, writeErr := f.WriteAt(b, at)
		if err := errors.Join(err, writeErr, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnotherInstance(t *testing.T) {
	path, _ := filled(t, 1)
	s := unlocked(t, path)
	_, err := store.Open(path)
	var problem *ctap.Problem
	if !errors.As(err, &problem) || problem.What != "another localpasskey is using this store" || problem.Hint == "" {
		t.Errorf("a second instance gets %v", err)
	}
	if _, err := s.Count(); err != nil {
		t.Errorf("the first one then gets %v", err)
	}
	// One that ends soon is waited for.
	go func() {
		<-time.After(100 * time.Millisecond)
		_ = s.Close()
	}()
	unlocked(t, path)
}

// TestSwappedRecords holds that a sealed value opens in its own place only, and
// that a damaged one is an error of its own credential alone.
func TestSwappedRecords(t *testing.T) {
	for _, bucket := range []string{"credentials", "counters"} {
		t.Run(bucket, func(t *testing.T) {
			path, all := filled(t, 3)
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(tx *bbolt.Tx) error {
				b := tx.Bucket([]byte(bucket))
				cursor := b.Cursor()
				_, v0 := cursor.First()
				v0 = bytes.Clone(v0)
				k1, _ := cursor.Next()
				return b.Put(bytes.Clone(k1), v0)
			})
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			s := unlocked(t, path)
			if _, err := s.ByID(all[1].ID); !errors.Is(err, ctap.IntegrityFailure) {
				t.Errorf("a swapped value gives %v", err)
			}
			if c, err := s.ByID(all[0].ID); err != nil || c == nil {
				t.Errorf("its neighbour gives %v, %v", c, err)
			}
			var seen int
			var failed error
			for c, err := range s.Each() {
				if err != nil {
					failed = err
					continue
				}
				if c != nil {
					seen++
				}
			}
			if seen != 1 || !errors.Is(failed, ctap.IntegrityFailure) {
				t.Errorf("Each gives %d, then %v", seen, failed)
			}
			if err := s.Delete(all[1].ID); err != nil {
				t.Errorf("a damaged credential cannot be deleted: %v", err)
			}
		})
	}
}

// TestRandomDamage spoils the file in 200 places, one at a time: what comes back
// is right, or an error.
func TestRandomDamage(t *testing.T) {
	const places = 200
	path, all := filled(t, 60)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2)) // the same places every time
	refused := 0
	for n := range places {
		at := random.IntN(len(whole))
		spoilt := bytes.Clone(whole)
		spoilt[at] ^= byte(1 + random.IntN(255))
		victim := filepath.Join(t.TempDir(), "store.db")
		if err := os.WriteFile(victim, spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		err := useAll(victim, all)
		var problem *ctap.Problem
		switch {
		case err == nil:
		case errors.As(err, &problem):
			refused++
		default:
			t.Fatalf("place %d, byte %d: %v", n, at, err)
		}
	}
	t.Logf("%d of %d places were noticed; the others hold nothing", refused, places)
	if refused == 0 {
		t.Error("no damage was noticed at all")
	}
}

// useAll reads all there is and writes a little. It gives the store's own error,
// or one that is no *ctap.Problem when what it reads is wrong.
func useAll(path string, all []*authenticator.Credential) (err error) {
	s, err := store.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ledger, err := s.Ledger().Load()
	if err != nil {
		return err
	}
	if string(ledger) != "the hardware's record" {
		return fmt.Errorf("ledger %q", ledger)
	}
	if err := s.Unlock(key(1), generation(1)); err != nil {
		return err
	}
	settings, err := s.Settings()
	if err != nil {
		return err
	}
	if settings.MinPINLength != 9 {
		return fmt.Errorf("settings %+v", settings)
	}
	if n, err := s.Count(); err != nil || n != len(all) {
		return errors.Join(err, fmt.Errorf("count %d", n))
	}
	for _, want := range all {
		got, err := s.ByID(want.ID)
		if err != nil {
			return err
		}
		if got == nil || got.User.Name != want.User.Name || got.SignCount != want.SignCount || !bytes.Equal(got.Key.Handle, want.Key.Handle) {
			return fmt.Errorf("%s reads as %+v", want.User.Name, got)
		}
		found, err := s.ByRP(want.Key.RPIDHash)
		if err != nil {
			return err
		}
		if len(found) < len(all)/7 {
			return fmt.Errorf("only %d of %s", len(found), want.RP.ID)
		}
	}
	for i, want := range all[:5] {
		if n, err := s.NextSignCount(want.ID); err != nil || int(n) != i+1 {
			return errors.Join(err, fmt.Errorf("sign count %d", n))
		}
	}
	return s.Delete(all[0].ID)
}

// TestNothingReadable holds that the file names no site, account or key.
func TestNothingReadable(t *testing.T) {
	path, all := filled(t, 10)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(file, []byte("credentials")) || !bytes.Contains(file, []byte("the hardware's record")) {
		t.Fatal("this test does not see the file's own words")
	}
	for _, c := range all {
		for name, b := range map[string][]byte{
			"id": c.ID, "RP ID": []byte(c.RP.ID), "RP ID hash": c.Key.RPIDHash[:], "RP name": []byte(c.RP.Name),
			"user handle": c.User.ID, "user name": []byte(c.User.Name), "display name": []byte(c.User.DisplayName),
			"x": c.Key.Public.X, "y": c.Key.Public.Y, "handle": c.Key.Handle[:16], "MAC handle": c.MACWithUV[:16],
			"AAGUID": c.AAGUID[:], "metadata key": key(1).Reveal(),
		} {
			if bytes.Contains(file, b) {
				t.Errorf("%s is in the file", name)
			}
		}
	}
}

func TestErase(t *testing.T) {
	path, all := filled(t, 3)
	s := unlocked(t, path)
	s.Used(all[0].ID, time.Unix(1, 0))
	if err := errors.Join(s.PutValue("kept", []byte("until now")), s.PutValue("and more", []byte("x"))); err != nil {
		t.Fatal(err)
	}
	if err := s.Erase(key(2), generation(2), ctap.AuditEntry{Event: ctap.AuditReset}); err != nil {
		t.Fatal(err)
	}
	check := func(s *store.Store) {
		t.Helper()
		n, err := s.Count()
		settings, settingsErr := s.Settings()
		value, valueErr := s.Value("kept")
		if err := errors.Join(err, settingsErr, valueErr); err != nil || n != 0 || value != nil || !reflect.DeepEqual(settings, authenticator.DefaultSettings()) {
			t.Errorf("left: %d credentials, settings %+v, %v", n, settings, err)
		}
		if got, err := s.Ledger().Load(); err != nil || string(got) != "the hardware's record" {
			t.Errorf("the ledger is %q, %v", got, err)
		}
	}
	check(s)
	if err := s.Put(all[0]); err != nil {
		t.Errorf("a new beginning: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := openAndUnlock(path, key(1), generation(2)); err == nil {
		t.Error("the old key opens the new generation")
	}
	if err := openAndUnlock(path, key(2), generation(2)); err != nil {
		t.Errorf("the new key: %v", err)
	}
	// A crash between hardware and store leaves a store of an earlier generation.
	again := open(t, path)
	if err := again.Unlock(key(3), generation(3)); err != nil {
		t.Fatal(err)
	}
	check(again)
}

func TestLedger(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	if got, err := s.Ledger().Load(); err != nil || got != nil {
		t.Errorf("an absent ledger is %q, %v", got, err)
	}
	if err := s.Ledger().Save([]byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, path).Ledger().Load(); err != nil || string(got) != "one" {
		t.Errorf("the ledger is %q, %v", got, err)
	}
	if _, err := s.Ledger().Load(); !errors.Is(err, store.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

func TestCloseWritesNotes(t *testing.T) {
	path, all := filled(t, 1)
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_800_000_000, 0).UTC()
	if err := s.Unlock(key(1), generation(1)); err != nil {
		t.Fatal(err)
	}
	s.Used(all[0].ID, at)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := unlocked(t, path).ByID(all[0].ID)
	if err != nil || c.Uses != all[0].Uses+1 || !c.LastUsed.Equal(at) {
		t.Errorf("after the restart: %+v, %v", c, err)
	}
}

func TestUnlockRefusesShortKeys(t *testing.T) {
	s := open(t, newPath(t))
	if err := s.Unlock(secret.Of(make([]byte, 16)), generation(1)); err == nil {
		t.Error("a key of 16 bytes is good enough")
	}
}

func TestNotAFile(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	target, _ := filled(t, 1)
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	var problem *ctap.Problem
	for _, path := range []string{dir, link} {
		if s, err := store.Open(path); !errors.As(err, &problem) {
			t.Errorf("%s opens as %v, %v", path, s, err)
		}
	}
}
