package transcript

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/localpasskey/localpasskey/internal/cbor"
)

// decode gives an item as int64, []byte, string, bool, []any or map[any]any.
func decode(item []byte) (any, error) {
	var v any
	if err := cbor.Unmarshal(item, &v); err != nil {
		return nil, err
	}
	return plain(v)
}

// plain has one type for every integer.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case uint64:
		if v > math.MaxInt64 {
			return nil, fmt.Errorf("the number %d is not for a transcript", v)
		}
		return int64(v), nil
	case []any:
		for i := range v {
			var err error
			if v[i], err = plain(v[i]); err != nil {
				return nil, err
			}
		}
	case map[any]any:
		out := make(map[any]any, len(v))
		for key, value := range v {
			key, err := plain(key)
			if err != nil {
				return nil, err
			}
			if out[key], err = plain(value); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// show gives a value in diagnostic notation. The entries of a map that is not within
// another's line have lines of their own, indented by more than indent; with the indent
// "" all is one line.
func show(v any, indent string) string {
	switch v := v.(type) {
	case []byte:
		return "h'" + hex.EncodeToString(v) + "'"
	case string:
		return strconv.Quote(v)
	case []any:
		var all []string
		for _, item := range v {
			all = append(all, show(item, ""))
		}
		return "[" + strings.Join(all, ", ") + "]"
	case map[any]any:
		var all []string
		for _, key := range keys(v) {
			all = append(all, show(key, "")+": "+show(v[key], deeper(indent)))
		}
		return braces(all, indent)
	default:
		return fmt.Sprint(v)
	}
}

// deeper is the indentation of a map's entries.
func deeper(indent string) string {
	if indent == "" {
		return ""
	}
	return indent + "  "
}

// braces puts a map's entries together.
func braces(entries []string, indent string) string {
	if indent == "" || len(entries) == 0 {
		return "{" + strings.Join(entries, ", ") + "}"
	}
	return "{" + deeper(indent) + strings.Join(entries, ","+deeper(indent)) + indent + "}"
}

// keys are a map's keys in the canonical order: numbers, then texts, the short before
// the long.
func keys(m map[any]any) []any {
	all := make([]any, 0, len(m))
	for key := range m {
		all = append(all, key)
	}
	slices.SortFunc(all, order)
	return all
}

func order(a, b any) int {
	i, isNumber := a.(int64)
	j, both := b.(int64)
	switch {
	case isNumber && both:
		return cmp.Or(cmp.Compare(boolean(i < 0), boolean(j < 0)), cmp.Compare(max(i, -i), max(j, -j)))
	case isNumber != both:
		return cmp.Compare(boolean(both), boolean(isNumber))
	default:
		s, t := fmt.Sprint(a), fmt.Sprint(b)
		return cmp.Or(cmp.Compare(len(s), len(t)), cmp.Compare(s, t))
	}
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}
