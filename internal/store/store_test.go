package store_test

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/store"
	"github.com/localpasskey/localpasskey/internal/storetest"
)

// key gives a fixed metadata key, told apart by n.
func key(n byte) secret.Bytes {
	b := sha256.Sum256([]byte{n})
	return secret.Of(b[:])
}

func generation(n byte) [16]byte { return [16]byte{n, 15: n} }

func open(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func unlocked(t testing.TB, path string) *store.Store {
	t.Helper()
	s := open(t, path)
	if err := s.Unlock(key(1), generation(1)); err != nil {
		t.Fatal(err)
	}
	return s
}

func newPath(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "made", "for", "it", "store.db")
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) authenticator.Store { return unlocked(t, newPath(t)) })
}

func TestFilesArePrivate(t *testing.T) {
	path := newPath(t)
	open(t, path)
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the store: %v, %v", entries, err)
	}
}

func TestLocked(t *testing.T) {
	s := open(t, newPath(t))
	if err := s.Put(storetest.Credential(t, "a.example", 1)); !errors.Is(err, store.ErrLocked) {
		t.Errorf("Put on a locked store: %v", err)
	}
	if _, err := s.Count(); !errors.Is(err, store.ErrLocked) {
		t.Errorf("Count on a locked store: %v", err)
	}
	if _, err := s.Settings(); !errors.Is(err, store.ErrLocked) {
		t.Errorf("Settings of a locked store: %v", err)
	}
	for _, err := range s.Each() {
		if !errors.Is(err, store.ErrLocked) {
			t.Errorf("Each on a locked store: %v", err)
		}
	}
}

// TestUsedIsWrittenSoon looks into a copy of the file, as after a power cut.
func TestUsedIsWrittenSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "store.db")
		s := unlocked(t, path)
		c := storetest.Credential(t, "a.example", 1)
		if err := s.Put(c); err != nil {
			t.Fatal(err)
		}
		for range 10 { // a stream of uses does not put the writing off
			s.Used(c.ID, time.Now())
			<-time.After(100 * time.Millisecond)
		}
		synctest.Wait()
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(dir, "copy.db")
		if err := os.WriteFile(copied, file, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := unlocked(t, copied).ByID(c.ID)
		if err != nil || got.Uses < c.Uses+5 {
			t.Errorf("a second after the first of ten uses the file tells of %+v, %v", got, err)
		}
	})
}
