package cbor

import (
	"bytes"
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// From the specification: CTAP 2.3 §8, levels of arrays and maps.
const MaxDepth = 4

// From the specification: RFC 8949 §3, major types.
const (
	majorUint  = 0
	majorNegat = 1
	majorBytes = 2
	majorText  = 3
	majorArray = 4
	majorMap   = 5
	majorOther = 7
)

// From the specification: RFC 8949 §3.3, simple values.
const (
	simpleFalse = 20
	simpleTrue  = 21
	simpleNull  = 22
)

// From the specification: RFC 8949 §3, additional information.
const (
	firstWide = 24 // the argument follows, in 1 << (info - firstWide) bytes
	lastWide  = 27
)

// head is the start of an item: its major type and argument.
type head struct {
	major byte
	arg   uint64
}

// scanner reads items off the front of data.
type scanner struct {
	data []byte
	at   int
}

// item passes over one item that lies in depth arrays and maps.
func (s *scanner) item(depth int) error {
	start := s.at
	h, err := s.head()
	if err != nil {
		return err
	}
	switch h.major {
	case majorUint, majorNegat:
		return nil
	case majorBytes, majorText:
		content, err := s.take(h.arg)
		if err == nil && h.major == majorText && !utf8.Valid(content) {
			return malformed(start, "text that is not UTF-8")
		}
		return err
	case majorArray, majorMap:
		if depth == MaxDepth {
			return malformed(start, "too many levels")
		}
		if h.major == majorArray {
			return s.array(h.arg, depth+1)
		}
		return s.pairs(h.arg, depth+1)
	default:
		return nil // head has refused all but false, true and null
	}
}

func (s *scanner) array(n uint64, depth int) error {
	for ; n > 0; n-- {
		if err := s.item(depth); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) pairs(n uint64, depth int) error {
	var before []byte
	for ; n > 0; n-- {
		start := s.at
		if err := s.item(depth); err != nil {
			return err
		}
		key := s.data[start:s.at]
		if key[0]>>5 > majorText {
			return malformed(start, "map key that is neither integer nor string")
		}
		if beyondInt64(key) {
			return malformed(start, "map key below -2^63")
		}
		if before != nil && compareKeys(before, key) >= 0 {
			return malformed(start, "map key out of order or twice")
		}
		before = key
		if err := s.item(depth); err != nil {
			return err
		}
	}
	return nil
}

// beyondInt64 tells a negative integer that no Go integer holds: nothing of CTAP's has such
// a key, and the decoder would have no key of a map for it.
func beyondInt64(key []byte) bool {
	return key[0] == majorNegat<<5|lastWide && key[1]&0x80 != 0
}

// compareKeys orders encoded keys as CTAP 2.3 §8 does: the lower major type
// first, then the shorter, then the lower in bytes.
func compareKeys(a, b []byte) int {
	if d := int(a[0]>>5) - int(b[0]>>5); d != 0 {
		return d
	}
	if d := len(a) - len(b); d != 0 {
		return d
	}
	return bytes.Compare(a, b)
}

// head reads an item's first byte and argument, and refuses longer forms than
// are needed.
func (s *scanner) head() (head, error) {
	start := s.at
	first, err := s.take(1)
	if err != nil {
		return head{}, err
	}
	h, info := head{major: first[0] >> 5, arg: uint64(first[0] & 0x1f)}, first[0]&0x1f
	if h.major == majorOther {
		if info < simpleFalse || info > simpleNull {
			return head{}, malformed(start, "float, undefined or unknown simple value")
		}
		return h, nil
	}
	if h.major > majorMap {
		return head{}, malformed(start, "tag")
	}
	if info < firstWide {
		return h, nil
	}
	if info > lastWide {
		return head{}, malformed(start, "indefinite or reserved length")
	}
	h.arg, err = s.wide(info - firstWide)
	return h, err
}

// wide reads an argument of 1 << log2 bytes.
func (s *scanner) wide(log2 byte) (uint64, error) {
	start := s.at
	argument, err := s.take(1 << log2)
	if err != nil {
		return 0, err
	}
	var padded [8]byte
	copy(padded[len(padded)-len(argument):], argument)
	n := binary.BigEndian.Uint64(padded[:])
	if n < [4]uint64{firstWide, math.MaxUint8 + 1, math.MaxUint16 + 1, math.MaxUint32 + 1}[log2] {
		return 0, malformed(start, "integer or length not in its shortest form")
	}
	return n, nil
}

// take gives the next n bytes.
func (s *scanner) take(n uint64) ([]byte, error) {
	if n > uint64(len(s.data)-s.at) {
		return nil, malformed(s.at, "end of input")
	}
	taken := s.data[s.at:][:n]
	s.at += len(taken)
	return taken, nil
}
