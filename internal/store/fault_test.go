package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// readBeyondEnd reads a mapped page that the file no longer has.
func readBeyondEnd(t *testing.T) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(path, make([]byte, 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mapped, err := unix.Mmap(int(f.Fd()), 0, 8192, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(mapped) }()
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	t.Logf("never printed: %d", mapped[5000])
	return nil
}

// TestGuarded holds that a fault in mapped memory is an error, not the end.
func TestGuarded(t *testing.T) {
	var broke *panicError
	if err := guarded(func() error { panic("damaged page") }); !errors.As(err, &broke) {
		t.Errorf("a panic gives %v", err)
	}
	if err := guarded(func() error { return readBeyondEnd(t) }); !errors.As(err, &broke) {
		t.Errorf("a fault gives %v", err)
	}
	if err := guarded(func() error { return ErrLocked }); !errors.Is(err, ErrLocked) {
		t.Errorf("an error gives %v", err)
	}
}
