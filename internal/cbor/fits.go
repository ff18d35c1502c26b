package cbor

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	upstream "github.com/fxamacker/cbor/v2"
)

// fitsPointer compares the valid item in data with the Go type v points to, where
// the upstream decoder would be lenient; all else it finds itself.
func fitsPointer(data []byte, v any) error {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer {
		return fmt.Errorf("cbor: cannot decode into %T, which is no pointer", v)
	}
	s := scanner{data: data}
	return s.fits(t.Elem())
}

// fits passes over one item. Its errors name the Go type, never the content.
func (s *scanner) fits(t reflect.Type) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Interface || decodesItself(t) {
		return s.item(0)
	}
	h, err := s.head()
	if err != nil {
		return err
	}
	switch h.major {
	case majorUint, majorNegat:
		return nil
	case majorBytes, majorText:
		return s.fitsString(h, t)
	case majorArray:
		return s.fitsArray(h, t)
	case majorMap:
		return s.fitsMap(h, t)
	default:
		if h.arg == simpleNull || t.Kind() != reflect.Bool {
			return mismatch("simple value", t)
		}
		return nil
	}
}

// fitsString: upstream cuts a byte string that is too long for an [N]byte, and
// fills the rest of one that is too short.
func (s *scanner) fitsString(h head, t reflect.Type) error {
	content, err := s.take(h.arg)
	if err != nil {
		return err
	}
	if t.Kind() == reflect.Array && len(content) != t.Len() {
		return mismatch(fmt.Sprintf("string of %d bytes", len(content)), t)
	}
	return nil
}

// fitsArray: upstream takes integers for bytes, and treats an [N]T as it does an
// [N]byte.
func (s *scanner) fitsArray(h head, t reflect.Type) error {
	if t.Kind() != reflect.Slice && t.Kind() != reflect.Array || t.Elem().Kind() == reflect.Uint8 {
		return mismatch("array", t)
	}
	if t.Kind() == reflect.Array && h.arg != uint64(t.Len()) { //nolint:gosec // a length is not negative
		return mismatch(fmt.Sprintf("array of %d", h.arg), t)
	}
	for range h.arg {
		if err := s.fits(t.Elem()); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) fitsMap(h head, t reflect.Type) error {
	if t.Kind() != reflect.Map && t.Kind() != reflect.Struct {
		return mismatch("map", t)
	}
	for range h.arg {
		value := reflect.TypeFor[any]()
		if t.Kind() == reflect.Map {
			value = t.Elem()
			if err := s.fits(t.Key()); err != nil {
				return err
			}
		} else if field, err := s.field(t); err != nil {
			return err
		} else if field != nil {
			value = field
		}
		if err := s.fits(value); err != nil {
			return err
		}
	}
	return nil
}

// field reads a map key and finds the type of the field it names, nil for none.
func (s *scanner) field(t reflect.Type) (reflect.Type, error) {
	start := s.at
	h, err := s.head()
	if err != nil {
		return nil, err
	}
	s.at = start
	if err := s.item(0); err != nil {
		return nil, err
	}
	switch {
	case h.major == majorText:
		return fieldType(t, string(s.data[s.at-int(h.arg):s.at]), false), nil //nolint:gosec // item has compared it with the input
	case h.major == majorUint && h.arg <= math.MaxInt64:
		return fieldType(t, strconv.FormatUint(h.arg, 10), true), nil
	case h.major == majorNegat && h.arg <= math.MaxInt64:
		return fieldType(t, strconv.FormatInt(-1-int64(h.arg), 10), true), nil
	default:
		return nil, mismatch("map key", t)
	}
}

// fieldType finds the field that a tag names key; embedded structs count as part
// of t.
func fieldType(t reflect.Type, key string, asInt bool) reflect.Type {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("cbor"), ",")
		embedded := f.Type
		if embedded.Kind() == reflect.Pointer {
			embedded = embedded.Elem()
		}
		if f.Anonymous && name == "" && embedded.Kind() == reflect.Struct {
			if found := fieldType(embedded, key, asInt); found != nil {
				return found
			}
			continue
		}
		if name == "" {
			name = f.Name
		}
		if f.IsExported() && name == key && slices.Contains(strings.Split(options, ","), "keyasint") == asInt {
			return f.Type
		}
	}
	return nil
}

// decodesItself tells whether t has its own UnmarshalCBOR, as Raw has.
func decodesItself(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[upstream.Unmarshaler]())
}

func mismatch(item string, t reflect.Type) error {
	return fmt.Errorf("%w: %s for %s", ErrType, item, t)
}
