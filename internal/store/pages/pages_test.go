package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// smallFile gives a bbolt file of 1 KiB pages, with branches, an inline bucket,
// a value longer than a page and free pages.
func smallFile(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: minPageSizeBytes})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		err := db.Update(func(tx *bbolt.Tx) error {
			big, err := tx.CreateBucketIfNotExists([]byte("big"))
			if err != nil {
				return err
			}
			small, err := tx.CreateBucketIfNotExists([]byte("small"))
			if err != nil {
				return err
			}
			for i := range 40 {
				err = errors.Join(err, big.Put(fmt.Appendf(nil, "key %02d", i), bytes.Repeat([]byte{byte(round)}, 50)))
			}
			return errors.Join(err, big.Put([]byte("long"), make([]byte, 3000)), small.Put([]byte("k"), []byte("v")))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func checkBytes(file []byte) error { return Check(bytes.NewReader(file), int64(len(file))) }

// walk has bbolt read everything in the file. A panic ends the test.
func walk(path string) error {
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
			if b == nil { // a plain entry among the buckets
				return nil
			}
			return b.ForEach(func(k, v []byte) error {
				_, _ = bytes.Clone(k), bytes.Clone(v)
				return nil
			})
		})
	})
	return errors.Join(err, db.Close())
}

// branch gives the offset of the branch page of bucket "big", and of the list of
// free pages.
func offsets(t *testing.T, file []byte) (branch, freelist int) {
	t.Helper()
	m, err := readMetas(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	c := &check{file: bytes.NewReader(file), meta: m, seen: make([]bool, m.pages)}
	root, err := c.read(m.root)
	if err != nil {
		t.Fatal(err)
	}
	element, err := root.element(0)
	if err != nil {
		t.Fatal(err)
	}
	order := binary.NativeEndian
	name, value, err := root.items(nil, nil).next(0, order.Uint32(element[4:]), order.Uint32(element[8:]), order.Uint32(element[12:]))
	if err != nil || string(name) != "big" {
		t.Fatalf("the first bucket is %q, %v", name, err)
	}
	branch = int(order.Uint64(value)) * minPageSizeBytes
	if order.Uint16(file[branch+8:]) != branchFlag {
		t.Fatal("bucket big has no branches")
	}
	return branch, int(m.freelist) * minPageSizeBytes
}

// TestCheckPages breaks the structure where bbolt would panic, loop or overwrite
// what is in use.
func TestCheckPages(t *testing.T) {
	whole := smallFile(t)
	if err := checkBytes(whole); err != nil {
		t.Fatalf("a whole file: %v", err)
	}
	branch, freelist := offsets(t, whole)
	order := binary.NativeEndian
	for name, change := range map[string]func(file []byte){
		"a branch that leads to itself": func(file []byte) {
			order.PutUint64(file[branch+pageHeaderBytes+8:], uint64(branch/minPageSizeBytes))
		},
		"two branches to one leaf": func(file []byte) {
			copy(file[branch+pageHeaderBytes+8:][:8], file[branch+pageHeaderBytes+elementBytes+8:])
		},
		"a branch out of the file":   func(file []byte) { file[branch+pageHeaderBytes+8+3] = 1 },
		"a branch to a head":         func(file []byte) { order.PutUint64(file[branch+pageHeaderBytes+8:], 1) },
		"a branch without leaves":    func(file []byte) { order.PutUint16(file[branch+10:], 0) },
		"too many branches":          func(file []byte) { order.PutUint16(file[branch+10:], 0xFFFF) },
		"a key outside its page":     func(file []byte) { order.PutUint32(file[branch+pageHeaderBytes:], 1<<31) },
		"a key that is too long":     func(file []byte) { order.PutUint32(file[branch+pageHeaderBytes+4:], 1<<31) },
		"a key in the table":         func(file []byte) { order.PutUint32(file[branch+pageHeaderBytes:], 0) },
		"an empty key":               func(file []byte) { order.PutUint32(file[branch+pageHeaderBytes+4:], 0) },
		"a last branch that is lost": func(file []byte) { order.PutUint16(file[branch+10:], order.Uint16(file[branch+10:])-1) },
		"a page with another's id":   func(file []byte) { file[branch]++ },
		"a page of no kind":          func(file []byte) { file[branch+8] = 3 },
		"endless overflow":           func(file []byte) { order.PutUint32(file[branch+12:], 1<<31) },
		"overflow into another page": func(file []byte) { order.PutUint32(file[branch+12:], 2) },
		"no list of free pages":      func(file []byte) { file[freelist+8] = leafFlag },
		"too many free pages":        func(file []byte) { order.PutUint16(file[freelist+10:], 0xFFFE) },
		"far too many free pages": func(file []byte) {
			order.PutUint16(file[freelist+10:], manyFreePages)
			order.PutUint64(file[freelist+pageHeaderBytes:], 1<<61)
		},
		"a head that is free":         func(file []byte) { order.PutUint64(file[freelist+pageHeaderBytes:], 0) },
		"a page in use that is free":  func(file []byte) { order.PutUint64(file[freelist+pageHeaderBytes:], uint64(branch/minPageSizeBytes)) },
		"a free page out of the file": func(file []byte) { order.PutUint64(file[freelist+pageHeaderBytes:], 1<<40) },
		"a head of zeros":             func(file []byte) { clear(file[minPageSizeBytes : minPageSizeBytes+80]) },
	} {
		t.Run(name, func(t *testing.T) {
			file := bytes.Clone(whole)
			change(file)
			if err := checkBytes(file); !errors.Is(err, ErrDamaged) {
				t.Errorf("it passes for whole: %v", err)
			}
		})
	}
}

// FuzzPages changes bytes of a file: what passes the check, bbolt can read to the
// end without a panic.
func FuzzPages(f *testing.F) {
	whole := smallFile(f)
	f.Add([]byte{0, 20, 1})
	f.Add([]byte{16, 0, 5, 16, 1, 7})
	f.Fuzz(func(t *testing.T, changes []byte) {
		file := bytes.Clone(whole)
		for ; len(changes) >= 3; changes = changes[3:] {
			file[int(binary.BigEndian.Uint16(changes))%len(file)] = changes[2]
		}
		if checkBytes(file) != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "db")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := walk(path); err != nil {
			t.Errorf("bbolt says: %v", err)
		}
	})
}
