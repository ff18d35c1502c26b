package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/secret"
)

const content = "hunter2!"

// leaks tells whether text shows the content in any form that fmt has for bytes.
func leaks(text string) bool {
	decimal := strings.Trim(fmt.Sprint([]byte(content)), "[]")
	goSyntax := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(content)), "[]byte{"), "}")
	for _, form := range []string{
		content, hex.EncodeToString([]byte(content)), strings.ToUpper(hex.EncodeToString([]byte(content))), decimal, goSyntax,
		"aHVudGVyMi", // base64
	} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

type holder struct {
	Name   string
	Hidden secret.Bytes
	inner  secret.Bytes
	Inside struct{ Deep *secret.Bytes }
}

func places() map[string]any {
	s := secret.Of([]byte(content))
	h := holder{Name: "holder", Hidden: s, inner: s}
	h.Inside.Deep = &s
	return map[string]any{
		"value": s, "pointer": &s, "struct": h, "pointer to struct": &h,
		"slice": []secret.Bytes{s}, "map": map[string]secret.Bytes{"k": s}, "any": []any{s, &s},
	}
}

func TestNothingPrintsTheContent(t *testing.T) {
	t.Parallel()
	if !leaks(fmt.Sprint([]byte(content))) || !leaks(fmt.Sprintf("%x", content)) || !leaks(fmt.Sprintf("%#v", []byte(content))) {
		t.Fatal("leaks does not see a leak")
	}
	for name, v := range places() {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "% x", "%q", "%d", "%08b", "%T", "%p"} {
			if got := fmt.Sprintf(verb, v); leaks(got) {
				t.Errorf("%s of %s shows it: %s", verb, name, got)
			}
		}
		if got := fmt.Errorf("wrapped: %v", v).Error(); leaks(got) {
			t.Errorf("an error with %s shows it: %s", name, got)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		if got := fmt.Sprintf(verb, secret.Of([]byte(content))); got != "[secret]" {
			t.Errorf("%s prints %q, want [secret]", verb, got)
		}
	}
}

func TestNoLoggerShowsTheContent(t *testing.T) {
	t.Parallel()
	for name, v := range places() {
		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v)
		if got := out.String(); leaks(got) || strings.Count(got, "level") != 2 {
			t.Errorf("logged %s: %s", name, got)
		}
	}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", secret.Of([]byte(content)))
	if !strings.Contains(out.String(), "v=[secret]") {
		t.Errorf("logged value: %s", out.String())
	}
}

func TestNoEncoderTakesASecret(t *testing.T) {
	t.Parallel()
	encoders := map[string]func(any) ([]byte, error){
		"json": json.Marshal,
		"xml":  func(v any) ([]byte, error) { return xml.Marshal(v) },
		"cbor": cbor.Marshal,
		"gob": func(v any) ([]byte, error) {
			var out bytes.Buffer
			err := gob.NewEncoder(&out).Encode(v)
			return out.Bytes(), err
		},
	}
	s := secret.Of([]byte(content))
	for name, encode := range encoders {
		for place, v := range map[string]any{
			"value": s, "pointer": &s, "struct": holder{Hidden: s}, "slice": []secret.Bytes{s},
		} {
			out, err := encode(v)
			if !errors.Is(err, secret.ErrEncode) || leaks(string(out)) || leaks(err.Error()) {
				t.Errorf("%s of a %s: %q, %v; want ErrEncode", name, place, out, err)
			}
		}
	}
}

func TestBytesCannotBeCompared(t *testing.T) {
	t.Parallel()
	if reflect.TypeFor[secret.Bytes]().Comparable() {
		t.Error("== would compile")
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	of := func(s string) secret.Bytes { return secret.Of([]byte(s)) }
	for _, c := range []struct {
		a, b  secret.Bytes
		equal bool
	}{
		{of("abc"), of("abc"), true},
		{of("abc"), of("abd"), false},
		{of("abc"), of("ab"), false},
		{of(""), secret.Bytes{}, true},
		{secret.Bytes{}, of("x"), false},
	} {
		if c.a.Equal(c.b) != c.equal || c.b.Equal(c.a) != c.equal {
			t.Errorf("Equal(%q, %q) is not %v", c.a.Reveal(), c.b.Reveal(), c.equal)
		}
	}
}

func TestCopiesShareAndClonesDoNot(t *testing.T) {
	t.Parallel()
	original := []byte(content)
	s := secret.Of(original)
	shared, clone := s, s.Clone()
	if &s.Reveal()[0] != &original[0] {
		t.Error("Of copied")
	}
	shared.Wipe()
	shared.Wipe()
	if !bytes.Equal(original, make([]byte, len(content))) {
		t.Errorf("after Wipe of a copy: %x", original)
	}
	if !s.IsZero() || s.Len() != 0 || s.Equal(secret.Of(make([]byte, len(content)))) {
		t.Error("a wiped secret passes for one of zeroes")
	}
	if string(clone.Reveal()) != content {
		t.Errorf("the clone changed: %q", clone.Reveal())
	}
}

func TestZeroValue(t *testing.T) {
	t.Parallel()
	var s secret.Bytes
	s.Wipe()
	if !s.IsZero() || s.Len() != 0 || len(s.Reveal()) != 0 || !s.Clone().IsZero() || !secret.Of([]byte{}).IsZero() {
		t.Error("the zero value is not an empty secret")
	}
	if got := fmt.Sprint(s); got != "[secret]" {
		t.Errorf("prints %q; whether there is a secret is nobody's business", got)
	}
}

func TestRandom(t *testing.T) {
	t.Parallel()
	a, b := secret.Random(32), secret.Random(32)
	if a.Len() != 32 || b.Len() != 32 || a.Equal(b) {
		t.Error("two random secrets of 32 bytes are equal, or are not 32 bytes")
	}
	if !secret.Random(0).IsZero() {
		t.Error("no bytes, yet a secret")
	}
}
