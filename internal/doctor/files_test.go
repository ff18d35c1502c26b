package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// built is a machine whose files a test makes.
type built struct {
	*testing.T
	Machine
}

// build gives a machine with nothing in it.
func build(t *testing.T) built {
	t.Helper()
	return built{t, Machine{
		Root: t.TempDir(), UID: 1000, Groups: []int{1000}, Home: "/home/alice", Path: []string{"/usr/local/bin", "/usr/bin"},
		Version: "1.0.0", Now: time.Now(),
	}}
}

func (b built) file(name, content string, mode os.FileMode) {
	b.Helper()
	path := b.at(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		b.Fatal(err)
	}
}

func (b built) dir(name string) {
	b.Helper()
	if err := os.MkdirAll(b.at(name), 0o755); err != nil {
		b.Fatal(err)
	}
}

func (b built) link(name, target string) {
	b.Helper()
	if err := os.MkdirAll(filepath.Dir(b.at(name)), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.Symlink(target, b.at(name)); err != nil {
		b.Fatal(err)
	}
}

// expect holds a finding to a state and a part of its words; a problem has a hint, and
// nothing else has.
func expect(t *testing.T, f Finding, state State, text string) {
	t.Helper()
	if f.State != state || !strings.Contains(f.Text, text) {
		t.Errorf("%s: %s: %s; want %s, %q", f.Check, f.State, f.Text, state, text)
	}
	if (f.State == Problem || f.State == Note) != (f.Hint != "") {
		t.Errorf("%s: %s with the hint %q", f.Check, f.State, f.Hint)
	}
	if f.Check == "" {
		t.Error("a finding about nothing")
	}
}

// only is expect for a list of one.
func only(t *testing.T, found []Finding, state State, text string) {
	t.Helper()
	if len(found) != 1 {
		t.Fatalf("%d findings: %v", len(found), found)
	}
	expect(t, found[0], state, text)
}

func TestResolve(t *testing.T) {
	b := build(t)
	b.file("/usr/bin/real", "x", 0o755)
	b.link("/etc/alternatives/p", "/usr/bin/real")
	b.link("/usr/bin/p", "/etc/alternatives/p")
	b.link("/usr/bin/q", "../bin/p")
	b.link("/usr/bin/round", "round")
	b.link("/usr/bin/dead", "/nowhere")
	for name, want := range map[string]string{
		"/usr/bin/real": "/usr/bin/real", "/usr/bin/p": "/usr/bin/real", "/usr/bin/q": "/usr/bin/real",
		"/usr/bin/round": "", "/usr/bin/dead": "", "/usr/bin/none": "",
	} {
		if got := b.resolve(name); got != want {
			t.Errorf("%s is %q in the end, want %q", name, got, want)
		}
	}
	b.file("/usr/bin/data", "x", 0o644)
	b.dir("/usr/bin/folder")
	if got := b.program("data", "folder", "dead", "q"); got != "/usr/bin/q" {
		t.Errorf("found %q", got)
	}
	b.Path = []string{"usr/bin", ""}
	if got := b.program("q"); got != "" {
		t.Errorf("found %q by a path that begins nowhere", got)
	}
}
