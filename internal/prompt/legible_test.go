package prompt_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/localpasskey/localpasskey/internal/prompt"
)

func TestLegible(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text, want string
		limit            int
	}{
		{"plain", "alice@example.com", "alice@example.com", 64},
		{"other scripts", "Ālice 愛 ðŋ", "Ālice 愛 ðŋ", 64},
		{"escape sequence", "a\x1b[2J\x1b]0;title\x07b", "a[2J]0;titleb", 64},
		{"8-bit escape", "a\u009b31mb", "a31mb", 64},
		{"lines", "evil.example\r\nSign in to good.example", "evil.example  Sign in to good.example", 64},
		{"line separators", "a\u2028b\u2029c", "a b c", 64},
		{"right to left override", "moc.elgoog\u202egpj.exe", "moc.elgooggpj.exe", 64},
		{"isolates and marks", "a\u2066b\u2069\u200e\u200f\u061cc", "abc", 64},
		{"no room", "pay\u200bpal\ufeff\u00ad", "paypal", 64},
		{"private use, unassigned", "a\ue000\U000e0041b", "ab", 64},
		{"piled marks", "a" + strings.Repeat("\u0301", 40) + "b", "a\u0301\u0301b", 64},
		{"spaces", "  a\u00a0b\tc ", "a b c", 64},
		{"not UTF-8", "a\xffb", "a\ufffdb", 64},
		{"as long as can be", "12345", "12345", 5},
		{"too long", "123456", "1234…", 5},
		{"too long, several bytes", "ääääää", "ääää…", 5},
		{"nothing", "\u202e\x00", "", 64},
	} {
		if got := prompt.Legible(c.text, c.limit); got != c.want {
			t.Errorf("%s: %q is shown as %q, want %q", c.name, c.text, got, c.want)
		}
	}
}

// The end of a domain name says whose it is: it must not be what is cut off.
func TestServiceKeepsItsEnd(t *testing.T) {
	t.Parallel()
	got := prompt.Service("accounts.google.com." + strings.Repeat("a", 300) + ".evil.example")
	if !strings.HasPrefix(got, "…aaa") || !strings.HasSuffix(got, "aa.evil.example") || utf8.RuneCountInString(got) != 253 {
		t.Errorf("shown as %q, %d code points", got, utf8.RuneCountInString(got))
	}
	if got := prompt.Service("\u200b"); got != "(no name)" {
		t.Errorf("a name that cannot be seen is shown as %q", got)
	}
	if got := prompt.Service("example.com"); got != "example.com" {
		t.Errorf("shown as %q", got)
	}
}

func FuzzLegible(f *testing.F) {
	for _, seed := range []string{"", "alice", "\x1b[31m", "\u202e", "a\u0301\u0301\u0301", "\xff\xfe", "\r\n"} {
		f.Add(seed, 5)
	}
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = 1 + (limit&0x7fffffff)%100
		got := prompt.Legible(text, limit)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > limit {
			t.Errorf("%q is shown as %q, limit %d", text, got, limit)
		}
		for _, r := range got {
			if unicode.Is(unicode.C, r) || unicode.Is(unicode.Z, r) && r != ' ' {
				t.Errorf("%q is shown with %U", text, r)
			}
		}
	})
}
