package manager

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// opener puts a script in the place of xdg-open.
func opener(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "xdg-open"), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// TestLinkIsInNoArgument holds that the list of processes does not show the link, and
// that nobody else can read where it is.
func TestLinkIsInNoArgument(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "seen")
	opener(t, `echo "$@" > `+seen)
	const url = "http://127.0.0.1:1/#0123456789"
	clean, err := Show(t.Context(), url)
	check(t, err)
	argument, err := os.ReadFile(seen)
	check(t, err)
	file := strings.TrimSpace(string(argument))
	if strings.Contains(file, "0123456789") {
		t.Errorf("the link is in the argument %s", file)
	}
	content, err := os.ReadFile(file)
	check(t, err)
	if !strings.Contains(string(content), "url="+url) {
		t.Errorf("the file does not lead there: %s", content)
	}
	for name, want := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
		info, err := os.Stat(name)
		check(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
	check(t, clean())
	if _, err := os.Stat(file); err == nil {
		t.Error("the file stays")
	}
}

func TestNoBrowser(t *testing.T) {
	opener(t, "exit 3")
	if clean, err := Show(t.Context(), "http://127.0.0.1:1/#0"); err == nil {
		t.Error("it was opened", clean())
	}
}
