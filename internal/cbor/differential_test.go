package cbor_test

import (
	"bytes"
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	upstream "github.com/fxamacker/cbor/v2"

	"github.com/localpasskey/localpasskey/internal/cbor"
)

// oracle is the upstream library in other modes than ours: it decodes leniently and encodes
// by its own idea of CTAP2's form.
type oracle struct {
	enc upstream.EncMode
	dec upstream.DecMode
}

func newOracle(tb testing.TB) oracle {
	tb.Helper()
	enc, err := upstream.CTAP2EncOptions().EncMode()
	if err != nil {
		tb.Fatal(err)
	}
	dec, err := upstream.DecOptions{
		DupMapKey: upstream.DupMapKeyEnforcedAPF, TagsMd: upstream.TagsForbidden, IndefLength: upstream.IndefLengthForbidden,
		MapKeyByteString: upstream.MapKeyByteStringAllowed, IntDec: upstream.IntDecConvertNone, MaxNestedLevels: 64,
		MaxArrayElements: math.MaxInt32, MaxMapPairs: math.MaxInt32,
	}.DecMode()
	if err != nil {
		tb.Fatal(err)
	}
	return oracle{enc, dec}
}

// canonical tells whether the item is in CTAP2's form by the oracle alone: what it reads, it
// writes again in the same bytes; and the item has what CTAP2 lets it have.
func (o oracle) canonical(data []byte) bool {
	var v any
	if o.dec.Unmarshal(data, &v) != nil || !allowed(v, 0) {
		return false
	}
	again, err := o.enc.Marshal(v)
	return err == nil && bytes.Equal(again, data)
}

// allowed are CTAP2's limits of what may be in an item: four levels, no floats, no undefined,
// keys that are numbers or strings. They are ours to say: the oracle has no such modes.
func allowed(v any, depth int) bool {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			if !allowed(one, depth+1) {
				return false
			}
		}
		return depth < cbor.MaxDepth
	case map[any]any:
		for key, one := range v {
			switch key.(type) {
			case uint64, int64, string, upstream.ByteString:
			default:
				return false
			}
			if !allowed(one, depth+1) {
				return false
			}
		}
		return depth < cbor.MaxDepth
	case float32, float64, upstream.SimpleValue:
		return false
	default:
		return true
	}
}

// FuzzDifferential: our scanner and the library in other modes agree on what is canonical.
func FuzzDifferential(f *testing.F) {
	for _, item := range append(validItems(), slices.Collect(maps.Values(invalidItems()))...) {
		if data, err := hex.DecodeString(strings.ReplaceAll(item, " ", "")); err == nil {
			f.Add(data)
		}
	}
	o := newOracle(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if ours, theirs := cbor.Valid(data) == nil, o.canonical(data); ours != theirs {
			t.Fatalf("%x: canonical by ours %t, by the library %t", data, ours, theirs)
		}
	})
}
