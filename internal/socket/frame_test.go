package socket

import (
	"bytes"
	"slices"
	"testing"
)

func FuzzFrame(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 1, 4})
	f.Add([]byte{2, 0, 0, 0, 2, 0, 0xa0})
	f.Add([]byte{3, 0, 0, 0, 0})
	f.Add([]byte{4, 0, 0, 0, 1, 2})
	f.Add([]byte{5, 0, 0, 0, 0})
	f.Add([]byte{1, 0, 1, 0, 1})
	f.Add([]byte{2, 0xff, 0xff, 0xff, 0xff, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		k, err := readKind(r)
		if err != nil {
			return
		}
		got, err := readFrame(k, r)
		if err != nil {
			return
		}
		if rest := data[len(data)-r.Len():]; !bytes.Equal(slices.Concat(got.encode(), rest), data) {
			t.Errorf("% x reads as %+v", data, got)
		}
	})
}

// TestAnnouncedLengthAllocatesNothing holds that memory grows with what arrives.
func TestAnnouncedLengthAllocatesNothing(t *testing.T) {
	header := []byte{0, 0x10, 0, 0} // the largest response
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := readFrame(kindResponse, bytes.NewReader(header)); err == nil {
				b.Fatal("a frame without its body")
			}
		}
	})
	if got := result.AllocedBytesPerOp(); got > 4096 {
		t.Errorf("a header alone allocates %d bytes", got)
	}
}

func TestResponseTooLong(t *testing.T) {
	if f := responseFrame(make([]byte, maxResponseBytes+1)); !bytes.Equal(f.body, []byte{0x7f}) {
		t.Errorf("it is sent as %d bytes", len(f.body))
	}
}
