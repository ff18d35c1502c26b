package process

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestParent(t *testing.T) {
	for stat, want := range map[string]int{
		"42 (bash) S 7 42 42 0":        7,
		"42 (a) R 9 (b c) S 7 42 42 0": 7,
		"42 (x)":                       0,
		"42 (x) S":                     0,
		"42 (x) S many":                0,
		"":                             0,
		"no parentheses at all":        0,
	} {
		if got := parent([]byte(stat)); got != want {
			t.Errorf("%q: %d, want %d", stat, got, want)
		}
	}
}

func TestChain(t *testing.T) {
	if got := Chain(1 << 30); got != nil {
		t.Errorf("nobody is called %q", got)
	}
	if got := Chain(os.Getpid()); len(got) == 0 || len(got) > maxPrograms {
		t.Errorf("this process is called %q", got)
	}
}

func TestPrintable(t *testing.T) {
	for name, want := range map[string]string{
		"firefox":               "firefox",
		"a b\n\x1b[31mc":        "a b\uFFFD\uFFFD[31mc",
		"rtl\u202etxt":          "rtl\uFFFDtxt",
		"bad\xff":               "bad\uFFFD",
		strings.Repeat("é", 40): strings.Repeat("é", 32),
	} {
		if got := printable(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}

// A child has a device open; this process has it too, and is not told of.
func TestHolders(t *testing.T) {
	const node = "/dev/full" // a device that hardly anybody opens
	mine, err := os.Open(node)
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	cat := exec.CommandContext(t.Context(), "sleep", "60")
	cat.ExtraFiles = []*os.File{mine}
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	got := holders(node)
	if !slices.Contains(got, cat.Process.Pid) || slices.Contains(got, os.Getpid()) {
		t.Errorf("%s is held by %d, want %d among them and not %d", node, got, cat.Process.Pid, os.Getpid())
	}
	_ = cat.Process.Kill()
	_ = cat.Wait() // It was killed.
	if slices.Contains(holders(node), cat.Process.Pid) {
		t.Error("a process that has ended holds it")
	}
	for _, none := range []string{"", "/dev/there-is-none", "/", "/etc/passwd"} {
		if got := holders(none); got != nil {
			t.Errorf("%q is held by %d", none, got)
		}
	}
}
