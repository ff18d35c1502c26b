package secret

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// ErrEncode is the answer of every encoder that is given a secret: what must be
// written is revealed and sealed first, in sight of the reader.
var ErrEncode = errors.New("secret: a secret cannot be encoded")

// shown stands for a secret wherever one is printed.
const shown = "[secret]"

// Bytes is a secret of any length; the zero value is none. Copies share the
// memory, so that wiping one wipes all.
type Bytes struct {
	// A function, because functions cannot be compared with ==, and because fmt
	// does not call Format on an unexported field of somebody's struct: of a
	// function it prints the address, of a slice or a pointer the content.
	content func() *[]byte
}

// Of makes b a secret. It takes b over: the caller must not use it again.
func Of(b []byte) Bytes { return Bytes{content: func() *[]byte { return &b }} }

// Random makes a secret of n random bytes.
func Random(n int) Bytes {
	b := make([]byte, n)
	// Documented never to fail; the program ends where there is no randomness.
	_, _ = rand.Read(b)
	return Of(b)
}

// Reveal gives the shared memory itself, not a copy: nil when there is none, or
// none any more.
func (s Bytes) Reveal() []byte {
	if s.content == nil {
		return nil
	}
	return *s.content()
}

// Len gives the length in bytes.
func (s Bytes) Len() int { return len(s.Reveal()) }

// IsZero tells whether there is no secret: none was set, it was empty, or it has
// been wiped.
func (s Bytes) IsZero() bool { return len(s.Reveal()) == 0 }

// Equal compares in constant time. Only the lengths can be learnt.
func (s Bytes) Equal(other Bytes) bool {
	return subtle.ConstantTimeCompare(s.Reveal(), other.Reveal()) == 1
}

// Clone makes a secret of the same content in memory of its own.
func (s Bytes) Clone() Bytes { return Of(bytes.Clone(s.Reveal())) }

// Wipe zeroes the memory and empties every copy that shares it: a forgotten copy
// must not go on as a key of zeroes, which anybody can guess. It may be called
// twice.
func (s Bytes) Wipe() {
	if s.content == nil {
		return
	}
	shared := s.content()
	clear(*shared)
	*shared = nil
}

// Format prints [secret] for every verb. The receiver is a value, so that the
// content of a struct's field is not shown either.
func (s Bytes) Format(f fmt.State, _ rune) {
	// A formatter has no way to report that its writer failed.
	_, _ = io.WriteString(f, shown)
}

// LogValue keeps the content out of logs.
func (s Bytes) LogValue() slog.Value { return slog.StringValue(shown) }

// MarshalJSON fails with ErrEncode.
func (s Bytes) MarshalJSON() ([]byte, error) { return nil, ErrEncode }

// MarshalText fails with ErrEncode.
func (s Bytes) MarshalText() ([]byte, error) { return nil, ErrEncode }

// MarshalBinary fails with ErrEncode, and with it encoding/gob.
func (s Bytes) MarshalBinary() ([]byte, error) { return nil, ErrEncode }

// MarshalCBOR fails with ErrEncode.
func (s Bytes) MarshalCBOR() ([]byte, error) { return nil, ErrEncode }
