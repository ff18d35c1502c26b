package vm

import (
	"os"
	"path/filepath"
	"testing"
)

func TestKeep(t *testing.T) {
	t.Parallel()
	shared, dir := t.TempDir(), filepath.Join(t.TempDir(), "pictures")
	if err := os.Mkdir(filepath.Join(shared, keptDir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(shared, keptDir, "dialog.png"), []byte("PNG"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keep("", shared); err != nil {
		t.Error(err)
	}
	for range 2 { // the second time there is one of before
		if err := keep(dir, shared); err != nil {
			t.Fatal(err)
		}
		if content, err := os.ReadFile(filepath.Join(dir, "dialog.png")); err != nil || string(content) != "PNG" {
			t.Errorf("%q, %v", content, err)
		}
	}
	if err := keep(filepath.Join(dir, "dialog.png", "below"), shared); err == nil {
		t.Error("kept below a file")
	}
}
