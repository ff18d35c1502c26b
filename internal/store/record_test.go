package store

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/storetest"
)

// FuzzRecord decodes anything: no panic, and what decodes comes back the same
// when it is encoded and decoded again.
func FuzzRecord(f *testing.F) {
	for _, c := range []*authenticator.Credential{storetest.Credential(f, "a.example", 1), {}} {
		b, err := encodeRecord(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decodeRecord(data)
		if err != nil {
			return
		}
		again, err := encodeRecord(c)
		if err != nil {
			t.Fatalf("it decodes and does not encode: %v", err)
		}
		c2, err := decodeRecord(again)
		if err != nil {
			t.Fatal(err)
		}
		if again2, err := encodeRecord(c2); err != nil || !bytes.Equal(again, again2) {
			t.Errorf("it encodes as % x, then as % x, %v", again, again2, err)
		}
	})
}

// FuzzFixed decodes the values of fixed length.
func FuzzFixed(f *testing.F) {
	f.Add(counters{signCount: 1, uses: 2, lastUsed: -3}.encode())
	f.Add(state{credentials: 1, next: 2, tally: [32]byte{3}}.encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := decodeCounters(data); err == nil && !bytes.Equal(n.encode(), data) {
			t.Errorf("% x reads as %+v", data, n)
		}
		if s, err := decodeState(data); err == nil && !bytes.Equal(s.encode(), data) {
			t.Errorf("% x reads as %+v", data, s)
		}
	})
}

func TestMoments(t *testing.T) {
	for _, at := range []time.Time{{}, time.Unix(0, 1).UTC(), time.Unix(1<<33, 999).UTC(), time.Unix(-5, 0).UTC()} {
		if got := moment(nanoseconds(at)); !got.Equal(at) || !reflect.DeepEqual(got, at) {
			t.Errorf("%v comes back as %v", at, got)
		}
	}
}
