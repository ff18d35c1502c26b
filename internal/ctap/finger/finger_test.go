package finger_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap/finger"
)

// Each request is authenticated as what it says, and none as one of another command.
func TestMessage(t *testing.T) {
	t.Parallel()
	hours, off := uint(28800), uint(0)
	for want, r := range map[string]finger.Request{
		strings.Repeat("ff", 32) + "58" + "0000000000007080": {Seconds: &hours},
		strings.Repeat("ff", 32) + "58" + "0000000000000000": {Seconds: &off},
		strings.Repeat("ff", 32) + "58":                      {},
	} {
		if got := hex.EncodeToString(r.Message()); got != want {
			t.Errorf("%+v: %s, want %s", r, got, want)
		}
	}
}

// FuzzRequest: what decodes, encodes to the same.
func FuzzRequest(f *testing.F) {
	f.Add([]byte{0xa0})
	f.Add([]byte{0xa1, 0x01, 0x19, 0x70, 0x80})
	f.Add([]byte{0xa3, 0x01, 0x00, 0x02, 0x02, 0x03, 0x41, 0x00})
	f.Fuzz(func(t *testing.T, encoded []byte) {
		var r finger.Request
		if err := cbor.Unmarshal(encoded, &r); err != nil {
			return
		}
		again, err := cbor.Marshal(r)
		var back finger.Request
		if err != nil || cbor.Unmarshal(again, &back) != nil || string(back.Message()) != string(r.Message()) {
			t.Errorf("% x is read as %+v and written as % x, %v", encoded, r, again, err)
		}
	})
}
