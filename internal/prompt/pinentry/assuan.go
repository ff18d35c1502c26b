package pinentry

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/localpasskey/localpasskey/internal/secret"
)

// From the manual of libassuan, Client requests: a line's length in bytes, without its
// line end.
const maxLineBytes = 1000

// From gpg-error.h: what the low 16 bits of an error number say.
const (
	codeMask         = 0xFFFF
	codeTimeout      = 62  // GPG_ERR_TIMEOUT
	codeCanceled     = 99  // GPG_ERR_CANCELED
	codeNotConfirmed = 114 // GPG_ERR_NOT_CONFIRMED
)

// errProtocol is a server that does not speak Assuan.
var errProtocol = errors.New("it does not answer as a pinentry does")

// refused is an ERR line.
type refused struct {
	code int
	text string
}

// Error says what the program said.
func (r *refused) Error() string { return fmt.Sprintf("%s (%d)", r.text, r.code) }

// conn is the client's side of Assuan.
type conn struct {
	in  io.Writer
	out io.Reader
}

// greeted reads the line that a server begins with.
func (c *conn) greeted() error {
	data, err := c.response()
	data.Wipe()
	return err
}

// do sends a command and gives the data that came with its OK. The caller wipes it. An
// ERR is a *refused.
func (c *conn) do(command string, argument string) (secret.Bytes, error) {
	line := command
	if argument != "" {
		line += " " + escape(argument, maxLineBytes-len(command)-1)
	}
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		return secret.Bytes{}, err
	}
	return c.response()
}

// set is do for commands that give no data.
func (c *conn) set(command string, argument string) error {
	data, err := c.do(command, argument)
	data.Wipe()
	return err
}

// response reads lines up to OK or ERR.
func (c *conn) response() (data secret.Bytes, err error) {
	buffer := secret.Of(make([]byte, maxLineBytes))
	defer buffer.Wipe()
	for {
		line, err := c.line(buffer.Reveal())
		if err != nil {
			data.Wipe()
			return secret.Bytes{}, err
		}
		switch word, rest, _ := bytes.Cut(line, []byte{' '}); string(word) {
		case "OK":
			return data, nil
		case "ERR":
			data.Wipe()
			return secret.Bytes{}, refusal(string(rest))
		case "D":
			more, ok := unescape(rest)
			if !ok || !data.IsZero() {
				data.Wipe()
				return secret.Bytes{}, errProtocol
			}
			data = secret.Of(bytes.Clone(more))
		case "S", "#", "":
		default:
			if bytes.HasPrefix(line, []byte{'#'}) {
				continue
			}
			data.Wipe()
			return secret.Bytes{}, errProtocol
		}
	}
}

// line reads one line into buffer, byte by byte: a reader with a buffer of its own would
// keep the PIN.
func (c *conn) line(buffer []byte) ([]byte, error) {
	for n := range buffer {
		if _, err := io.ReadFull(c.out, buffer[n:n+1]); err != nil {
			return nil, err
		}
		if buffer[n] == '\n' {
			return bytes.TrimSuffix(buffer[:n], []byte{'\r'}), nil
		}
	}
	return nil, errProtocol
}

// refusal reads what follows ERR: a number, and words.
func refusal(rest string) error {
	number, text, _ := strings.Cut(rest, " ")
	code, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return errProtocol
	}
	return &refused{code: int(code & codeMask), text: text}
}

// escape makes an argument of text: at most limit bytes, cut between characters.
func escape(text string, limit int) string {
	const ellipsis = "…"
	var b strings.Builder
	for rest := text; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		piece := rest[:size]
		switch {
		case r == '%' || r == '\r' || r == '\n':
			piece = fmt.Sprintf("%%%02X", r)
		case r == utf8.RuneError && size == 1:
			piece = string(utf8.RuneError)
		}
		if b.Len()+len(piece)+len(ellipsis) > limit {
			return b.String() + ellipsis
		}
		b.WriteString(piece)
		rest = rest[size:]
	}
	return b.String()
}

// unescape decodes a D line in place.
func unescape(b []byte) ([]byte, bool) {
	out := b[:0]
	for i := 0; i < len(b); i++ {
		if b[i] != '%' {
			out = append(out, b[i])
			continue
		}
		if len(b)-i < 3 {
			return nil, false
		}
		var c [1]byte
		if _, err := hex.Decode(c[:], b[i+1:i+3]); err != nil {
			return nil, false
		}
		out = append(out, c[0])
		i += 2
	}
	return out, true
}
