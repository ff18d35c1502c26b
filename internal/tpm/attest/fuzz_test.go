package attest

import (
	"bytes"
	"testing"
)

// FuzzSplit: certificates of an NV index that anybody may have written are pieces of what
// is there, one behind the other.
func FuzzSplit(f *testing.F) {
	f.Add([]byte{0x30, 0x03, 0x02, 0x01, 0x05, 0x30, 0x00, 0xFF, 0xFF})
	f.Add([]byte{0x30, 0x82, 0xFF, 0xFF, 0x00})
	f.Add([]byte{0x30, 0x80, 0x00, 0x00})
	f.Fuzz(func(t *testing.T, content []byte) {
		rest := content
		for _, one := range split(content) {
			if len(one) < 2 || one[0] != 0x30 || !bytes.HasPrefix(rest, one) {
				t.Fatalf("%x is not the next of %x", one, rest)
			}
			rest = rest[len(one):]
		}
	})
}
