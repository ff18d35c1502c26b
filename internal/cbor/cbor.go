package cbor

import (
	"errors"
	"fmt"
	"math"

	upstream "github.com/fxamacker/cbor/v2"
)

var (
	// ErrMalformed is the answer to bytes that are not one canonical item
	// (CTAP2_ERR_INVALID_CBOR).
	ErrMalformed = errors.New("malformed CBOR")
	// ErrType is the answer to an item that is well formed and not of the type it
	// is decoded into (CTAP2_ERR_CBOR_UNEXPECTED_TYPE).
	ErrType = errors.New("unexpected CBOR type")

	// errForm is Marshal's: a caller's fault, so it must not look like ErrMalformed,
	// which blames the other end.
	errForm = errors.New("value has no canonical form")
)

// Raw is one encoded item, decoded later or never. It holds a copy of the input.
type Raw = upstream.RawMessage

// codec is the upstream library, set to CTAP2's form.
type codec struct {
	enc upstream.EncMode
	dec upstream.DecMode
}

// canonical is built once: both modes are immutable and safe to share.
var canonical = newCodec() //nolint:gochecknoglobals // immutable; building it for each call costs more than the call

func newCodec() codec {
	enc, err := upstream.EncOptions{
		Sort:          upstream.SortCTAP2,
		IndefLength:   upstream.IndefLengthForbidden,
		NilContainers: upstream.NilContainerAsEmpty,
		TagsMd:        upstream.TagsForbidden,
	}.EncMode()
	if err != nil {
		panic(err) // the options above contradict each other: found by any test
	}
	dec, err := upstream.DecOptions{
		DupMapKey:         upstream.DupMapKeyEnforcedAPF,
		IndefLength:       upstream.IndefLengthForbidden,
		TagsMd:            upstream.TagsForbidden,
		MaxNestedLevels:   MaxDepth,
		MaxArrayElements:  math.MaxInt32, // the input is the limit: Valid has compared them
		MaxMapPairs:       math.MaxInt32,
		MapKeyByteString:  upstream.MapKeyByteStringAllowed,
		UTF8:              upstream.UTF8RejectInvalid,
		FieldNameMatching: upstream.FieldNameMatchingCaseSensitive,
		BinaryUnmarshaler: upstream.BinaryUnmarshalerNone,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return codec{enc, dec}
}

// Marshal encodes v. Struct fields are named by tags `cbor:"name"` or
// `cbor:"1,keyasint"`; nil slices and maps are empty ones. A value that has no
// canonical form, such as a float or five levels, is an error.
func Marshal(v any) ([]byte, error) {
	data, err := canonical.enc.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cbor: encode: %w", err)
	}
	if Valid(data) != nil {
		return nil, fmt.Errorf("cbor: encode %T: %w", v, errForm)
	}
	return data, nil
}

// Unmarshal decodes the one item in data into the value v points to. It fails
// with ErrMalformed or ErrType, or with the error of an UnmarshalCBOR method; v
// may then hold part of the item.
func Unmarshal(data []byte, v any) error {
	if err := Valid(data); err != nil {
		return err
	}
	if err := fitsPointer(data, v); err != nil {
		return err
	}
	err := canonical.dec.Unmarshal(data, v)
	if _, ok := errors.AsType[*upstream.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%w: %w", ErrType, err)
	}
	return err
}

// Valid tells whether data is one canonical item: nil, or an ErrMalformed.
func Valid(data []byte) error {
	_, rest, err := First(data)
	if err != nil {
		return err
	}
	if len(rest) != 0 {
		return malformed(len(data)-len(rest), "bytes after the item")
	}
	return nil
}

// First splits the first canonical item off data. Both parts share its memory.
func First(data []byte) (item, rest []byte, err error) {
	s := scanner{data: data}
	if err := s.item(0); err != nil {
		return nil, nil, err
	}
	return data[:s.at:s.at], data[s.at:], nil
}

// malformed names the place, never the content: an item may hold a secret.
func malformed(offset int, what string) error {
	return fmt.Errorf("%w: %s at byte %d", ErrMalformed, what, offset)
}
