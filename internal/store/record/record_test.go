package record

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
		b, err := Encode(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Encode(c)
		if err != nil {
			t.Fatalf("it decodes and does not encode: %v", err)
		}
		c2, err := Decode(again)
		if err != nil {
			t.Fatal(err)
		}
		if again2, err := Encode(c2); err != nil || !bytes.Equal(again, again2) {
			t.Errorf("it encodes as % x, then as % x, %v", again, again2, err)
		}
	})
}

// FuzzFixed decodes the values of fixed length.
func FuzzFixed(f *testing.F) {
	f.Add(Counters{SignCount: 1, Uses: 2, LastUsed: -3}.Encode())
	f.Add(State{Credentials: 1, Next: 2, Tally: [32]byte{3}}.Encode())
	f.Add(EncodeSequence(1))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := DecodeSequence(data); err == nil && !bytes.Equal(EncodeSequence(n), data) {
			t.Errorf("% x reads as %d", data, n)
		}
		if n, err := DecodeCounters(data); err == nil && !bytes.Equal(n.Encode(), data) {
			t.Errorf("% x reads as %+v", data, n)
		}
		if s, err := DecodeState(data); err == nil && !bytes.Equal(s.Encode(), data) {
			t.Errorf("% x reads as %+v", data, s)
		}
	})
}

func TestMoments(t *testing.T) {
	for _, at := range []time.Time{{}, time.Unix(0, 1).UTC(), time.Unix(1<<33, 999).UTC(), time.Unix(-5, 0).UTC()} {
		if got := Moment(Nanoseconds(at)); !got.Equal(at) || !reflect.DeepEqual(got, at) {
			t.Errorf("%v comes back as %v", at, got)
		}
	}
}
