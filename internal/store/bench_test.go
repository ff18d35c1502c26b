package store_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/store"
	"github.com/localpasskey/localpasskey/internal/storetest"
)

// sized makes a closed store of n credentials, ten for each service.
func sized(b *testing.B, n int) (path string, last *authenticator.Credential) {
	b.Helper()
	path = filepath.Join(b.TempDir(), "store.db")
	s := unlocked(b, path)
	for i := range n {
		last = storetest.Credential(b, fmt.Sprintf("site%d.example", i/10), i)
		if err := s.Put(last); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return path, last
}

func BenchmarkStore(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000} {
		path, last := sized(b, n)
		b.Run(fmt.Sprintf("Open/%d", n), func(b *testing.B) {
			for b.Loop() {
				s, err := store.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Unlock(key(1), generation(1)); err != nil {
					b.Fatal(err)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
		s := unlocked(b, path)
		b.Run(fmt.Sprintf("ByRP/%d", n), func(b *testing.B) {
			for b.Loop() {
				if found, err := s.ByRP(last.Key.RPIDHash); err != nil || len(found) != 10 {
					b.Fatal(len(found), err)
				}
			}
		})
		b.Run(fmt.Sprintf("ByID/%d", n), func(b *testing.B) {
			for b.Loop() {
				if c, err := s.ByID(last.ID); err != nil || c == nil {
					b.Fatal(c, err)
				}
			}
		})
		b.Run(fmt.Sprintf("NextSignCount/%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.NextSignCount(last.ID); err != nil {
					b.Fatal(err)
				}
			}
		})
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
