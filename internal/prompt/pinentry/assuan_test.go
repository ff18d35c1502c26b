package pinentry

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a b":                      "a b",
		"100%\r\nOK":               "100%25%0D%0AOK",
		"bad\xff":                  "bad\uFFFD",
		strings.Repeat("%", 20):    "%25%25%25%25%25%25%25%25%25…",
		strings.Repeat("ä", 20):    strings.Repeat("ä", 13) + "…",
		"ends before it is too lo": "ends before it is too lo",
	} {
		if got := escape(text, 30); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("alice 100%\r\n", 20)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if limit < 10 || limit > maxLineBytes {
			return
		}
		got := escape(text, limit)
		if len(got) > limit || strings.ContainsAny(got, "\r\n") || !utf8.ValidString(got) {
			t.Errorf("%q becomes %q", text, got)
		}
		plain, ok := unescape([]byte(got))
		if !ok || !strings.HasPrefix(strings.ToValidUTF8(text, "\uFFFD")+"…", strings.TrimSuffix(string(plain), "…")) && utf8.ValidString(text) {
			t.Errorf("%q comes back as %q", text, plain)
		}
	})
}

// Any bytes give data or an error, and no more data than there was.
func FuzzResponse(f *testing.F) {
	f.Add([]byte("OK\n"))
	f.Add([]byte("D 12%2534\nOK\n"))
	f.Add([]byte("S PASSWORD_FROM_CACHE\n# comment\nERR 83886179 cancelled\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		c := &conn{in: io.Discard, out: bytes.NewReader(said)}
		data, err := c.do("GETPIN", "")
		if err != nil && !data.IsZero() || data.Len() > len(said) {
			t.Errorf("%q gives %d bytes, %v", said, data.Len(), err)
		}
	})
}
