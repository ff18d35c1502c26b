//go:build e2e && linux

package packages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestInstall installs what a tree may have from packaging/linux, and what it says it does.
func TestInstall(t *testing.T) {
	tree := t.TempDir()
	if err := os.CopyFS(filepath.Join(tree, "packaging"), os.DirFS(filepath.Join(top(t), "packaging"))); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	output(t, nil, "go", "build", "-o", bin, "./cmd/localpasskey")
	add := func(name, content string) {
		path := filepath.Join(tree, "packaging/linux", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Names that no other part of the tree has.
	add("trial.service", "[Service]\nExecStart=/usr/bin/localpasskey daemon\n")
	add("trial.socket", "[Socket]\n")
	add("trial-agent.service", "[Service]\nExecStart=/usr/bin/localpasskey agent\n")
	add("user/trial-other.service", "[Service]\n")
	add("polkit/trial.rules", "polkit")
	add("70-trial.rules", "udev")

	install := func() (string, []string, error) {
		dest := t.TempDir()
		cmd := exec.CommandContext(t.Context(), filepath.Join(tree, "packaging/install.sh"), "localpasskey")
		cmd.Env = append(os.Environ(), "DESTDIR="+dest, "PREFIX=/opt/lp", "BIN="+bin)
		out, err := cmd.CombinedOutput()
		return dest, strings.Split(strings.TrimSpace(string(out)), "\n"), err
	}
	dest, said, err := install()
	if err != nil {
		t.Fatalf("%v: %q", err, said)
	}
	there := root{t, dest}.files()
	for i := range there {
		there[i] = dest + there[i]
	}
	slices.Sort(said)
	slices.Sort(there)
	if !slices.Equal(said, there) {
		t.Errorf("said   %q\nthere is %q", said, there)
	}
	for name, want := range map[string]string{
		"bin/localpasskey":                         "\x7fELF",
		"lib/systemd/system/trial.service":         "[Service]\nExecStart=/opt/lp/bin/localpasskey daemon\n",
		"lib/systemd/system/trial.socket":          "[Socket]",
		"lib/systemd/user/trial-agent.service":     "[Service]\nExecStart=/opt/lp/bin/localpasskey agent\n",
		"lib/systemd/user/trial-other.service":     "[Service]",
		"share/polkit-1/rules.d/trial.rules":       "polkit",
		"lib/udev/rules.d/70-trial.rules":          "udev",
		"share/zsh/site-functions/_localpasskey":   "#compdef localpasskey",
		"share/applications/localpasskey.desktop":  "[Desktop Entry]",
		"share/man/man1/localpasskey-doctor.1.gz":  "\x1f\x8b",
		"share/man/man1/localpasskey-pin-set.1.gz": "\x1f\x8b",
	} {
		content, err := os.ReadFile(filepath.Join(dest, "opt/lp", name))
		if err != nil || !strings.HasPrefix(string(content), want) {
			t.Errorf("%s begins %.60q, %v; want %q", name, content, err, want)
		}
	}

	add("trial.unheardof", "")
	if _, said, err := install(); err == nil || !strings.Contains(strings.Join(said, "\n"), "trial.unheardof has no place here\nhint: ") {
		t.Errorf("a file without a place: %v, %q", err, said)
	}
	bin = t.TempDir()
	if _, said, err := install(); err == nil || !strings.HasSuffix(strings.Join(said, "\n"), "localpasskey is not built\nhint: make build") {
		t.Errorf("nothing is built: %v, %q", err, said)
	}
}
