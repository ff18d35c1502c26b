package uhid

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

// little skips where the expected bytes, which are a PC's, do not hold.
func little(t testing.TB) {
	t.Helper()
	if head(1)[0] != 1 {
		t.Skip("the expectations are those of a little-endian machine")
	}
}

// unhex reads bytes with spaces between them.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// kernelEvent is an event as read gives it: padded to the size of the structure that
// a C compiler makes of linux/uhid.h.
func kernelEvent(t testing.TB, parts ...any) []byte {
	t.Helper()
	var b []byte
	for _, part := range parts {
		switch part := part.(type) {
		case string:
			b = append(b, unhex(t, part)...)
		case []byte:
			b = append(b, part...)
		}
	}
	return append(b, make([]byte, 4380-len(b))...)
}

// outputEvent is what the kernel tells of written, with the type byte rtype.
func outputEvent(t testing.TB, written []byte, size uint16, rtype byte) []byte {
	t.Helper()
	data := make([]byte, 4096)
	copy(data, written)
	return kernelEvent(t, "06 00 00 00", data, []byte{byte(size), byte(size >> 8), rtype})
}

func sixtyFour(first byte) []byte {
	b := make([]byte, 64)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func TestEncodeCreate(t *testing.T) {
	t.Parallel()
	little(t)
	// Offsets as a C compiler has them: 4 name[128], 132 phys[64], 196 uniq[64],
	// 260 rd_size, 262 bus, 264 vendor, 268 product, 272 version, 276 country,
	// 280 rd_data. The descriptor is that of CTAP 2.3 §11.2.8.
	want := slices.Concat(
		unhex(t, "0b000000"),
		[]byte("LocalPasskey"), make([]byte, 128-12),
		[]byte("1000"), make([]byte, 64-4),
		[]byte("user-ü"), make([]byte, 64-7),
		unhex(t, "2200 0300 d0f10000 01000000 00000000 00000000"),
		unhex(t, "06d0f1 0901 a101 0920 1500 26ff00 7508 9540 8102 0921 1500 26ff00 7508 9540 9102 c0"),
	)
	if got := encodeCreate(Info{Name: "LocalPasskey", Place: "1000", Unique: "user-ü"}); !bytes.Equal(got, want) {
		t.Errorf("got\n%x\nwant\n%x", got, want)
	}
}

func TestEncodeShortEvents(t *testing.T) {
	t.Parallel()
	little(t)
	report := sixtyFour(0x40)
	cases := map[string]struct {
		got  []byte
		want []byte
	}{
		"input":                {encodeInput(report), slices.Concat(unhex(t, "0c000000 4000"), report)},
		"destroy":              {head(destroy), unhex(t, "01000000")},
		"refused get_report":   {encodeRefusal(event{kind: getReport, id: 0x04030201}), unhex(t, "0a000000 01020304 0500 0000")},
		"refused set_report":   {encodeRefusal(event{kind: setReport, id: 0xFFFFFFFE}), unhex(t, "0e000000 feffffff 0500")},
		"nothing to refuse":    {encodeRefusal(event{kind: opened}), nil},
		"an output, no answer": {encodeRefusal(event{kind: output, report: report}), nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !bytes.Equal(c.got, c.want) {
				t.Errorf("got %x, want %x", c.got, c.want)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	little(t)
	report := sixtyFour(1)
	written := append([]byte{0}, report...)
	cases := map[string]struct {
		in   []byte
		want event
	}{
		"start":             {kernelEvent(t, "02000000 0000000000000000"), event{kind: start}},
		"stop":              {kernelEvent(t, "03000000"), event{kind: stop}},
		"open":              {kernelEvent(t, "04000000"), event{kind: opened}},
		"close":             {kernelEvent(t, "05000000"), event{kind: closed}},
		"get_report":        {kernelEvent(t, "09000000 78563412 01 00"), event{kind: getReport, id: 0x12345678}},
		"set_report":        {kernelEvent(t, "0d000000 01000000 00 00 0200 ffff"), event{kind: setReport, id: 1}},
		"a kind of 2030":    {kernelEvent(t, "63000000 ff"), event{kind: 99}},
		"a kind alone":      {unhex(t, "05000000"), event{kind: closed}},
		"output":            {outputEvent(t, written, 65, 1), event{kind: output, report: report}},
		"output, zeros":     {outputEvent(t, nil, 65, 1), event{kind: output, report: make([]byte, 64)}},
		"unpadded output":   {outputEvent(t, written, 65, 1)[:4103], event{kind: output, report: report}},
		"too short":         {outputEvent(t, written, 64, 1), event{kind: output}},
		"too long":          {outputEvent(t, written, 66, 1), event{kind: output}},
		"the longest":       {outputEvent(t, written, 4096, 1), event{kind: output}},
		"empty":             {outputEvent(t, nil, 0, 1), event{kind: output}},
		"a numbered report": {outputEvent(t, append([]byte{1}, report...), 65, 1), event{kind: output}},
		"a feature report":  {outputEvent(t, written, 65, 0), event{kind: output}},
		"an input report":   {outputEvent(t, written, 65, 2), event{kind: output}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if got.kind != c.want.kind || got.id != c.want.id || !bytes.Equal(got.report, c.want.report) ||
				(got.report == nil) != (c.want.report == nil) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	little(t)
	whole := outputEvent(t, nil, 65, 1)
	cases := map[string][]byte{
		"nothing":             nil,
		"half a kind":         {6, 0, 0},
		"output cut":          whole[:4102],
		"output, size beyond": outputEvent(t, nil, 4097, 1),
		"get_report cut":      unhex(t, "09000000 01000000 00"),
		"set_report cut":      unhex(t, "0d000000 010000"),
		"longer than any":     append(kernelEvent(t, "05000000"), 0),
	}
	for name, in := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if e, err := decode(in); !errors.Is(err, errEvent) {
				t.Errorf("got %+v and %v, want errEvent", e, err)
			}
		})
	}
}

// Any bytes: no panic, a report of 64 bytes or none, and it is a copy, for the
// buffer is read into again.
func FuzzDecode(f *testing.F) {
	little(f)
	written := append([]byte{0}, sixtyFour(1)...)
	f.Add(outputEvent(f, written, 65, 1))
	f.Add(outputEvent(f, written, 65, 0)[:4103])
	f.Add(outputEvent(f, written, 0xFFFF, 1))
	f.Add(kernelEvent(f, "02000000 0700000000000000"))
	f.Add(unhex(f, "09000000 78563412 01 00"))
	f.Add(unhex(f, "0d000000 01000000 00 00 0200 ffff"))
	f.Add(unhex(f, "0600"))
	f.Fuzz(func(t *testing.T, in []byte) {
		e, err := decode(in)
		if err != nil {
			if !errors.Is(err, errEvent) || e.report != nil {
				t.Fatalf("error %v with %+v", err, e)
			}
			return
		}
		if !bytes.Equal(head(e.kind), in[:4]) {
			t.Fatalf("kind %d of % x", e.kind, in[:4])
		}
		if e.report == nil {
			return
		}
		if e.kind != output || len(e.report) != 64 || !bytes.Equal(e.report, in[5:69]) {
			t.Fatalf("report %x of kind %d", e.report, e.kind)
		}
		e.report[0] ^= 1
		if in[5] == e.report[0] {
			t.Fatal("the report is not a copy")
		}
	})
}
