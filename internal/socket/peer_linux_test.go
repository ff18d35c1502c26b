package socket

import (
	"os"
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

func TestPrograms(t *testing.T) {
	if got := programs(1 << 30); got != nil {
		t.Errorf("nobody is called %q", got)
	}
	if got := programs(os.Getpid()); len(got) == 0 || len(got) > maxPrograms {
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
