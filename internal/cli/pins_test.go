package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/secret"
)

// A PIN is taken as it is typed: neither trimmed nor normalized.
func TestPINRules(t *testing.T) {
	t.Parallel()
	for pin, allowed := range map[string]bool{
		"1234":                    true,
		"123":                     false,
		"äöü":                     false, // six bytes, but three characters
		"äöüß":                    true,
		"    ":                    true,
		"e\u0301e\u0301":          true, // not normalized: four code points stay four
		strings.Repeat("a", 63):   true,
		strings.Repeat("a", 64):   false,
		strings.Repeat("批", 21):   true,  // 63 bytes
		strings.Repeat("批", 22):   false, // 66
		"1234\x00":                false, // would be taken for padding
		"12\t34":                  false,
		"1234\x1b[A":              false,
		"1234\xff":                false,
		"":                        false,
		"correct horse battery 批": true,
	} {
		if err := checkPIN(secret.Of([]byte(pin)), minPINPoints); (err == nil) != allowed {
			t.Errorf("%q: %v, want allowed: %v", pin, err, allowed)
		}
	}
	if err := checkPIN(secret.Of([]byte("12345")), 6); err == nil {
		t.Error("5 characters pass where 6 are demanded")
	}
}

// Whatever is on stdin, one line is taken and not a byte more, so that the second
// PIN is still there.
func FuzzReadLine(f *testing.F) {
	for _, seed := range []string{"", "\n", "1234", "1234\n", "1234\r\n5678\n", "\r\n", strings.Repeat("a", 64) + "\n", strings.Repeat("a", 80)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		in := bytes.NewReader(input)
		got, err := readLine(in)
		rest, _ := io.ReadAll(in)
		line, after, _ := bytes.Cut(input, []byte("\n"))
		if len(line) > maxPINBytes+1 || len(input) == 0 {
			if err == nil {
				t.Errorf("%q gives %q", input, got.Reveal())
			}
			return
		}
		if err != nil || !bytes.Equal(got.Reveal(), bytes.TrimSuffix(line, []byte("\r"))) || !bytes.Equal(rest, after) {
			t.Errorf("%q gives %q, %v and leaves %q", input, got.Reveal(), err, rest)
		}
	})
}
