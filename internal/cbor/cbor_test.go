package cbor_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cbor"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// validItems are from RFC 8949 Appendix A, or follow from CTAP 2.3 §8.
func validItems() []string {
	return []string{
		"00", "17", "1818", "18ff", "190100", "19ffff", "1a00010000", "1affffffff", "1b0000000100000000", "1bffffffffffffffff",
		"20", "37", "3818", "38ff", "390100", "3a00010000", "3b0000000100000000", "3bffffffffffffffff",
		"40", "4401020304", "60", "6161", "6449455446", "62c3bc", "63e6b0b4",
		"80", "83010203", "8301820203820405", "a0", "a201020304", "a26161016162820203", "826161a161626163",
		"f4", "f5", "f6",
		// Order of keys: major type, then length, then bytes.
		"a6 0a01 1864 02 20 03 617a 04 626161 05 626162 06",
		"a2 40 00 60 00",
		// Four levels.
		"8181818101", "a101a101a101a10101", "81a10181a101f5",
	}
}

func invalidItems() map[string]string {
	return map[string]string{
		"nothing":                       "",
		"integer longer than needed":    "1817",
		"map key below -2^63":           "a1 3b8000000000000000 00",
		"two bytes for one":             "1900ff",
		"four bytes for two":            "1a0000ffff",
		"eight bytes for four":          "1b00000000ffffffff",
		"negative longer than needed":   "3817",
		"string length too long a form": "580100",
		"array length too long a form":  "9800",
		"map length too long a form":    "b800",
		"indefinite bytes":              "5f4101ff",
		"indefinite text":               "7f6161ff",
		"indefinite array":              "9f01ff",
		"indefinite map":                "bf0101ff",
		"break alone":                   "ff",
		"reserved information":          "1c",
		"reserved information 30":       "5e",
		"tag":                           "c001",
		"tag 24":                        "d8184101",
		"half float":                    "f93c00",
		"single float":                  "fa47c35000",
		"double float":                  "fb3ff199999999999a",
		"undefined":                     "f7",
		"simple 16":                     "f0",
		"simple 255":                    "f8ff",
		"simple 24, reserved":           "f818",
		"two-byte false":                "f814",
		"not UTF-8":                     "61ff",
		"UTF-8 surrogate":               "63eda080",
		"UTF-8 too long a form":         "62c080",
		"cut multi-byte character":      "61c3",
		"not UTF-8 as a key":            "a161ff00",
		"duplicate keys":                "a201010102",
		"duplicate text keys":           "a2616101616102",
		"keys out of order":             "a202010101",
		"negative key before positive":  "a220010101",
		"text key before negative":      "a261610120 01",
		"longer key first":              "a2 626161 01 617a 01",
		"bytewise order wrong":          "a2 6162 01 6161 01",
		"array as a key":                "a18001",
		"map as a key":                  "a1a001",
		"false as a key":                "a1f401",
		"five levels of arrays":         "818181818101",
		"five levels, the last empty":   "8181818180",
		"five levels of maps":           "a101a101a101a101a0",
		"trailing byte":                 "0100",
		"cut integer":                   "19ff",
		"cut string":                    "4401",
		"cut array":                     "8201",
		"map without a value":           "a101",
		"cut map":                       "a2010101",
		"2^40 bytes":                    "5b0000010000000000",
		"2^40 characters":               "7b0000010000000000",
		"2^40 elements":                 "9b0000010000000000",
		"2^40 pairs":                    "bb0000010000000000",
		"2^64-1 bytes":                  "5bffffffffffffffff",
		"2^64-1 elements":               "9bffffffffffffffff",
		"2^63 pairs":                    "bb8000000000000000",
	}
}

func TestValid(t *testing.T) {
	t.Parallel()
	for _, item := range validItems() {
		if err := cbor.Valid(unhex(t, item)); err != nil {
			t.Errorf("%s: %v", item, err)
		}
	}
	for name, item := range invalidItems() {
		data := unhex(t, item)
		var v any
		if err := cbor.Valid(data); !errors.Is(err, cbor.ErrMalformed) || errors.Is(err, cbor.ErrType) {
			t.Errorf("%s: Valid says %v, want ErrMalformed", name, err)
		}
		if err := cbor.Unmarshal(data, &v); !errors.Is(err, cbor.ErrMalformed) {
			t.Errorf("%s: Unmarshal says %v, want ErrMalformed", name, err)
		}
	}
}

func TestAnyRoundTrip(t *testing.T) {
	t.Parallel()
	for _, item := range validItems() {
		data := unhex(t, item)
		var v any
		if err := cbor.Unmarshal(data, &v); err != nil {
			t.Errorf("%s: %v", item, err)
			continue
		}
		if again, err := cbor.Marshal(v); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%s became %x, %v", item, again, err)
		}
	}
}

// A header may promise anything; memory is spent on what is there.
func TestHugeHeadersAllocateNothing(t *testing.T) {
	for name, item := range map[string]string{
		"bytes": "5b0000010000000000", "text": "7b0000010000000000", "elements": "9b0000010000000000",
		"pairs": "bb0000010000000000", "nested": "8181819b0000010000000000",
	} {
		data := unhex(t, item)
		for target, v := range map[string]any{"any": new(any), "bytes": new([]byte), "strings": new([]string), "map": new(map[string]int)} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := cbor.Unmarshal(data, v)
			runtime.ReadMemStats(&after)
			const allowance = 64 << 10 // for the error, and for whoever else runs
			if grown := after.TotalAlloc - before.TotalAlloc; grown > allowance {
				t.Errorf("%s into %s allocates %d bytes", name, target, grown)
			}
			if !errors.Is(err, cbor.ErrMalformed) {
				t.Errorf("%s into %s: %v", name, target, err)
			}
		}
	}
}

type inner struct {
	ID []byte `cbor:"id"`
}

type message struct {
	Number  uint8             `cbor:"1,keyasint,omitempty"`
	Bytes   []byte            `cbor:"2,keyasint,omitempty"`
	Four    [4]byte           `cbor:"3,keyasint,omitempty"`
	Inner   *inner            `cbor:"4,keyasint,omitempty"`
	List    []inner           `cbor:"5,keyasint,omitempty"`
	Map     map[string]bool   `cbor:"6,keyasint,omitempty"`
	Raw     cbor.Raw          `cbor:"7,keyasint,omitempty"`
	Touch   *[]byte           `cbor:"8,keyasint,omitempty"`
	Pair    [2]uint16         `cbor:"9,keyasint,omitempty"`
	Text    string            `cbor:"10,keyasint,omitempty"`
	Flag    *bool             `cbor:"11,keyasint,omitempty"`
	Signed  int64             `cbor:"12,keyasint,omitempty"`
	Deep    map[string][]byte `cbor:"13,keyasint,omitempty"`
	Minus   uint              `cbor:"-1,keyasint,omitempty"`
	Ignored uint              `cbor:"-"`
}

func TestTypes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		item string
		fits bool
	}{
		"uint8":                       {"a10118ff", true},
		"uint8 overflows":             {"a101190100", false},
		"uint8 negative":              {"a10120", false},
		"uint8 from bytes":            {"a1014101", false},
		"uint8 from false":            {"a101f4", false},
		"uint8 from null":             {"a101f6", false},
		"int64 overflows":             {"a10c1b8000000000000000", false},
		"int64 underflows":            {"a10c3b8000000000000000", false},
		"int64 least":                 {"a10c3b7fffffffffffffff", true},
		"bytes":                       {"a10243010203", true},
		"bytes from text":             {"a102626161", false},
		"bytes from array":            {"a10283010203", false},
		"bytes from empty array":      {"a10280", false},
		"bytes from map":              {"a102a0", false},
		"bytes from null":             {"a102f6", false},
		"array of bytes":              {"a1034401020304", true},
		"array of bytes, one less":    {"a10343010203", false},
		"array of bytes, one more":    {"a103450102030405", false},
		"array of bytes, empty":       {"a10340", false},
		"array of bytes from array":   {"a1038401020304", false},
		"array of bytes from text":    {"a1036461616161", false},
		"array of bytes from null":    {"a103f6", false},
		"array of numbers":            {"a109820102", true},
		"array of numbers, one less":  {"a1098101", false},
		"array of numbers, one more":  {"a10983010203", false},
		"array of numbers, too large": {"a10982011a00010000", false},
		"array of numbers from bytes": {"a109420102", false},
		"struct":                      {"a104a162696441aa", true},
		"struct from array":           {"a10480", false},
		"struct from null":            {"a104f6", false},
		"struct, field from text":     {"a104a16269646161", false},
		"list":                        {"a10581a162696441aa", true},
		"list, element from text":     {"a10581a16269646161", false},
		"list of bytes":               {"a1058141aa", false},
		"list from map":               {"a105a0", false},
		"map":                         {"a106a16161f5", true},
		"map, value from number":      {"a106a1616101", false},
		"map, key from number":        {"a106a101f5", false},
		"map, value from null":        {"a106a16161f6", false},
		"map from array":              {"a10680", false},
		"map of bytes from arrays":    {"a10da161618101", false},
		"raw anything":                {"a107a1018261 61f6", true},
		"raw null":                    {"a107f6", true},
		"pointer to bytes":            {"a10840", true},
		"pointer to bytes, text":      {"a10860", false},
		"text":                        {"a10a6161", true},
		"text from bytes":             {"a10a4161", false},
		"text from number":            {"a10a01", false},
		"flag":                        {"a10bf4", true},
		"flag from number":            {"a10b00", false},
		"flag from null":              {"a10bf6", false},
		"negative key":                {"a12005", true},
		"negative key, wrong type":    {"a12061 61", false},
		"unknown integer key":         {"a118638261 61f6", true},
		"key beyond int64":            {"a11bffffffffffffffff01", false},
		"unknown text key":            {"a1647768617401", true},
		"byte string key":             {"a1410101", false},
		"text key of a number":        {"a1613101", true}, // "1" is not 1
		"text key of a Go name":       {"a1664e756d6265726161", true},
		"not a map":                   {"01", false},
		"an array":                    {"8101", false},
		"null":                        {"f6", false},
	} {
		var m message
		err := cbor.Unmarshal(unhex(t, c.item), &m)
		if c.fits && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !c.fits && (!errors.Is(err, cbor.ErrType) || errors.Is(err, cbor.ErrMalformed)) {
			t.Errorf("%s: %v, want ErrType", name, err)
		}
	}
}

func TestUnmarshalValues(t *testing.T) {
	t.Parallel()
	data := unhex(t, "aa 01 07 02 40 03 4401020304 04 a1626964 41aa 06 a16161f5 08 40 0a 6161 0b f4 20 05 647768617401")
	var m message
	if err := cbor.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	no := false
	want := message{
		Number: 7, Bytes: []byte{}, Four: [4]byte{1, 2, 3, 4}, Inner: &inner{ID: []byte{0xaa}},
		Map: map[string]bool{"a": true}, Touch: &[]byte{}, Text: "a", Flag: &no, Minus: 5,
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v, want %+v", m, want)
	}
	if m.Bytes == nil || *m.Touch == nil {
		t.Error("an empty byte string decoded to nil, which is absence")
	}
}

type part struct {
	Four [4]byte `cbor:"1,omitempty,keyasint"`
}

type otherPart struct {
	Two [2]byte `cbor:"two"`
}

// The fields of embedded structs are held to their types like all others.
func TestEmbeddedFields(t *testing.T) {
	t.Parallel()
	type whole struct {
		part
		*otherPart
		Bytes []byte `cbor:"2,keyasint"`
	}
	for item, fits := range map[string]bool{
		"a10144aabbccdd": true, "a10143aabbcc": false, "a1018401020304": false,
		"a1028101": false, "a10241aa": true, "a16374776f41aa": false,
	} {
		if err := cbor.Unmarshal(unhex(t, item), new(whole)); (err == nil) != fits || !fits && !errors.Is(err, cbor.ErrType) {
			t.Errorf("%s: %v", item, err)
		}
	}
}

// What was decoded stays when the caller reuses its buffer.
func TestDecodedValuesOwnTheirMemory(t *testing.T) {
	t.Parallel()
	data := unhex(t, "a3 02 42abcd 07 42abcd 0a 626162")
	var m message
	if err := cbor.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	clear(data)
	if !bytes.Equal(m.Bytes, []byte{0xab, 0xcd}) || !bytes.Equal(m.Raw, []byte{0x42, 0xab, 0xcd}) || m.Text != "ab" {
		t.Errorf("the input was kept: %x %x %q", m.Bytes, m.Raw, m.Text)
	}
}

func TestMarshal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		value any
		want  string
	}{
		"order of fields": {struct {
			Z  int `cbor:"zz"`
			A  int `cbor:"a"`
			N  int `cbor:"-1,keyasint"`
			P  int `cbor:"1,keyasint"`
			PP int `cbor:"100,keyasint"`
		}{1, 2, 3, 4, 5}, "a5 01 04 1864 05 20 03 6161 02 627a7a 01"},
		"order of map":  {map[string]int{"bb": 1, "a": 2, "": 3}, "a3 60 03 6161 02 626262 01"},
		"integers":      {[]any{0, 23, 24, 255, 256, -1, -24, -25, math.MaxInt64}, "89 00 17 1818 18ff 190100 20 37 3818 1b7fffffffffffffff"},
		"nil slice":     {inner{}, "a1 626964 40"},
		"nil list":      {[]string(nil), "80"},
		"nil map":       {map[string]int(nil), "a0"},
		"omitted":       {message{Ignored: 1}, "a2 03 4400000000 09 820000"}, // an array is never empty
		"array":         {[3]byte{1, 2, 3}, "43010203"},
		"raw":           {cbor.Raw{0x81, 0x01}, "8101"},
		"bools":         {[]bool{false, true}, "82f4f5"},
		"text not HTML": {"<é>", "643cc3a93e"},
	} {
		got, err := cbor.Marshal(c.value)
		if err != nil || !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("%s: %x, %v; want %s", name, got, err, c.want)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]any{
		"float":           1.5,
		"NaN":             math.NaN(),
		"five levels":     [][][][][]int{{{{{}}}}},
		"bad UTF-8":       "\xff",
		"raw not minimal": cbor.Raw{0x18, 0x01},
		"raw tag":         cbor.Raw{0xc0, 0x01},
		"two items":       cbor.Raw{0x01, 0x01},
		"channel":         make(chan int),
	} {
		if got, err := cbor.Marshal(v); err == nil || errors.Is(err, cbor.ErrMalformed) || errors.Is(err, cbor.ErrType) {
			t.Errorf("%s: %x, %v; want an error of its own", name, got, err)
		}
	}
}

type picky struct{}

var errPicky = errors.New("picky")

func (*picky) UnmarshalCBOR([]byte) error { return errPicky }

func TestUnmarshalPassesErrorsOn(t *testing.T) {
	t.Parallel()
	var v struct {
		P *picky `cbor:"1,keyasint"`
	}
	err := cbor.Unmarshal([]byte{0xa1, 0x01, 0x01}, &v)
	if !errors.Is(err, errPicky) || errors.Is(err, cbor.ErrType) || errors.Is(err, cbor.ErrMalformed) {
		t.Errorf("got %v, want the method's own error", err)
	}
	for _, target := range []any{nil, v, "text"} {
		if err := cbor.Unmarshal([]byte{0x01}, target); err == nil {
			t.Errorf("decoded into %T", target)
		}
	}
}

func TestFirst(t *testing.T) {
	t.Parallel()
	item, rest, err := cbor.First(unhex(t, "a10102 a16161f5 ff"))
	if err != nil || !bytes.Equal(item, unhex(t, "a10102")) || !bytes.Equal(rest, unhex(t, "a16161f5ff")) {
		t.Errorf("got %x, %x, %v", item, rest, err)
	}
	if _ = append(item, 0xee); rest[0] != 0xa1 {
		t.Error("appending to the item overwrites the rest")
	}
	for _, bad := range []string{"", "a101", "1817", "f7"} {
		if item, rest, err := cbor.First(unhex(t, bad)); !errors.Is(err, cbor.ErrMalformed) || item != nil || rest != nil {
			t.Errorf("%q: %x, %x, %v", bad, item, rest, err)
		}
	}
}

func TestErrorsDoNotQuoteTheInput(t *testing.T) {
	t.Parallel()
	item := append([]byte{0xa1, 0x02, 0x66}, "secret"...) // text where bytes belong
	var m message
	for _, data := range [][]byte{item, append(item, 0x00), append([]byte{0x67}, "secret\xff"...)} {
		if err := cbor.Unmarshal(data, &m); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%x: %v", data, err)
		}
	}
}

// FuzzDecode: nothing panics; what decodes into any encodes to the same bytes;
// every failure is one of the two errors.
func FuzzDecode(f *testing.F) {
	for _, item := range validItems() {
		if data, err := hex.DecodeString(strings.ReplaceAll(item, " ", "")); err == nil {
			f.Add(data)
		}
	}
	for _, item := range invalidItems() {
		if data, err := hex.DecodeString(strings.ReplaceAll(item, " ", "")); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		valid := cbor.Valid(data)
		var v any
		err := cbor.Unmarshal(data, &v)
		if (valid == nil) != (err == nil) {
			t.Fatalf("%x: Valid says %v, Unmarshal %v", data, valid, err)
		}
		if err == nil {
			again, err := cbor.Marshal(v)
			if err != nil || !bytes.Equal(again, data) {
				t.Fatalf("%x became %x, %v", data, again, err)
			}
		} else if !errors.Is(err, cbor.ErrMalformed) {
			t.Fatalf("%x: %v is not ErrMalformed", data, err)
		}
		if item, rest, err := cbor.First(data); err == nil && (len(item) == 0 || !bytes.Equal(append(item, rest...), data)) {
			t.Fatalf("%x was split into %x and %x", data, item, rest)
		}
		var m message
		if err := cbor.Unmarshal(data, &m); err == nil {
			checkAgain(t, &m)
		} else if !errors.Is(err, cbor.ErrMalformed) && !errors.Is(err, cbor.ErrType) {
			t.Fatalf("%x: %v is neither error", data, err)
		}
	})
}

// checkAgain: a decoded message encodes, and decodes to the same.
func checkAgain(t *testing.T, m *message) {
	t.Helper()
	data, err := cbor.Marshal(m)
	if err != nil {
		t.Fatalf("%+v: %v", m, err)
	}
	var again message
	if err := cbor.Unmarshal(data, &again); err != nil {
		t.Fatalf("%x: %v", data, err)
	}
	if twice, err := cbor.Marshal(again); err != nil || !bytes.Equal(twice, data) {
		t.Fatalf("%x became %x, %v", data, twice, err)
	}
}
