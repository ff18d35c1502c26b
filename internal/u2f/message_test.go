package u2f

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ab", 256)
	for request, want := range map[string]struct {
		data string
		word word
	}{
		"":                             {"", 0x6700},
		"000300":                       {"", 0x6700},
		"00030000":                     {"", 0x9000},
		"0003000000":                   {"", 0x9000}, // short Le
		"00030000000000":               {"", 0x9000}, // extended Le
		"80030000":                     {"", 0x6E00},
		"00010000 02 aabb":             {"aabb", 0x9000},
		"00010000 02 aabb 00":          {"aabb", 0x9000},
		"00010000 02 aa":               {"", 0x6700},
		"00010000 02 aabb 0000":        {"", 0x6700},
		"00010000 00":                  {"", 0x9000},
		"00010000 0000":                {"", 0x6700},
		"00010000 00 0002 aabb":        {"aabb", 0x9000},
		"00010000 00 0002 aabb 0000":   {"aabb", 0x9000},
		"00010000 00 0002 aabb 00":     {"", 0x6700},
		"00010000 00 0003 aabb":        {"", 0x6700},
		"00010000 00 0100" + long:      {long, 0x9000},
		"00010000 00 ffff aabb000000":  {"", 0x6700},
		"00010000 00 0002 aabb 000000": {"", 0x6700},
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(request, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		a, w := parse(b)
		if w != want.word || hex.EncodeToString(a.data) != want.data {
			t.Errorf("%.40s: %x, %04x", request, a.data, w)
		}
	}
}

// FuzzParse: any bytes have an answer, and what is taken for data was in them.
func FuzzParse(f *testing.F) {
	for _, seed := range [][]byte{nil, {0, 3, 0, 0}, {0, 1, 0, 0, 0, 0, 2, 1, 2, 0, 0}, {0, 2, 7, 0, 1, 9, 0}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		if a, w := parse(request); w == wordOK && !bytes.Contains(request, a.data) {
			t.Errorf("%x has no %x", request, a.data)
		}
	})
}
