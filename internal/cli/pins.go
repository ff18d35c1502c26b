package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/localpasskey/localpasskey/internal/cli/words"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// From the specification: CTAP 2.3 §6.5.1, the longest PIN in bytes, and the least
// that a minPINLength can be, in code points.
const (
	maxPINBytes  = 63
	minPINPoints = 4
)

const pinRules = words.PINRules

// terminalPath is the terminal that this process belongs to.
const terminalPath = "/dev/tty"

// pinSource is where a command gets PINs from.
type pinSource struct {
	run   *run
	stdin bool
}

// flag adds --pin-stdin, where there are PINs; lines says what is read.
func (p *pinSource) flag(c *cobra.Command, lines string) {
	if !p.run.words.PINs {
		return
	}
	c.Flags().BoolVar(&p.stdin, "pin-stdin", false, "read "+lines+" from stdin, for scripts")
}

// get asks for a PIN that exists. The caller wipes it.
func (p *pinSource) get(ctx context.Context, question string) (secret.Bytes, error) {
	if p.stdin {
		return readLine(p.run.In)
	}
	var pin secret.Bytes
	err := onTerminal(func(t *prompt.Terminal) (err error) {
		pin, err = t.Secret(ctx, question)
		return err
	})
	if err == nil && pin.IsZero() {
		err = errRefused
	}
	return pin, err
}

// choose asks for a new PIN, on a terminal twice. The caller wipes it.
func (p *pinSource) choose(ctx context.Context, least uint) (secret.Bytes, error) {
	if p.stdin {
		pin, err := readLine(p.run.In)
		if err == nil {
			err = checkPIN(pin, least)
		}
		return pin, err
	}
	var pin secret.Bytes
	err := onTerminal(func(t *prompt.Terminal) (err error) {
		pin, err = t.Secret(ctx, "New PIN (letters, digits, spaces; nothing cancels): ")
		if err != nil {
			return err
		}
		if pin.IsZero() {
			return errRefused
		}
		if err := checkPIN(pin, least); err != nil {
			return err
		}
		again, err := t.Secret(ctx, "The same again: ")
		if err != nil {
			return err
		}
		defer again.Wipe()
		if !pin.Equal(again) {
			return &failure{what: "the two PINs differ, nothing was changed", hint: "try again", code: codeFailed}
		}
		return nil
	})
	return pin, err
}

// onTerminal asks on the terminal of this process.
func onTerminal(ask func(*prompt.Terminal) error) error {
	t, err := prompt.Open(terminalPath)
	if err != nil {
		return usageError("there is no terminal to ask at", "run this in a terminal; scripts have --pin-stdin and --yes")
	}
	return errors.Join(ask(t), t.Close())
}

// checkPIN holds a new PIN to the rules. It is used as it was typed: an
// authenticator compares bytes.
func checkPIN(pin secret.Bytes, least uint) error {
	text := pin.Reveal()
	points := utf8.RuneCount(text)
	switch {
	case !utf8.Valid(text):
		return &failure{what: "this PIN is not UTF-8 text", hint: "look at the terminal's encoding", code: codeFailed}
	case points < int(least):
		return &failure{what: fmt.Sprintf("this PIN has %d characters, fewer than %d", points, least), hint: pinRules, code: codeFailed}
	case len(text) > maxPINBytes:
		return &failure{what: fmt.Sprintf("this PIN has %d bytes, more than %d", len(text), maxPINBytes), hint: pinRules, code: codeFailed}
	}
	for rest := text; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if unicode.IsControl(r) {
			return &failure{
				what: "this PIN has a key in it that is no character",
				hint: "an arrow, escape or tab key, perhaps? a prompt elsewhere could not type it", code: codeFailed,
			}
		}
		rest = rest[size:]
	}
	return nil
}

// readLine reads one line, byte by byte: a buffer would keep the PIN, and the lines
// after it. The caller wipes it.
func readLine(in io.Reader) (secret.Bytes, error) {
	buffer := secret.Of(make([]byte, maxPINBytes+2)) // CR LF
	defer buffer.Wipe()
	line, length := buffer.Reveal(), 0
	for ; length < len(line); length++ {
		n, err := io.ReadFull(in, line[length:length+1])
		if err != nil && !errors.Is(err, io.EOF) {
			return secret.Bytes{}, err
		}
		if n == 0 && length == 0 {
			return secret.Bytes{}, usageError("stdin has no PIN on it", "one PIN on each line: the one in use first, then the new one")
		}
		if n == 0 || line[length] == '\n' {
			return secret.Of(bytes.Clone(bytes.TrimSuffix(line[:length], []byte{'\r'}))), nil
		}
	}
	return secret.Bytes{}, usageError("the PIN on stdin is too long", pinRules)
}

// token asks for the PIN and gets a token for permissions, and for one relying party
// where that is named.
func (p *pinSource) token(ctx context.Context, s *session, permissions ctap.Permission, rpID string) (pinuv.Token, error) {
	if !s.status.PINSet {
		return pinuv.Token{}, ctap.PINNotSet
	}
	if s.status.Prompt == ctap.PromptTouchID {
		return s.platform().TokenWithUV(ctx, permissions, rpID)
	}
	pin, err := p.get(ctx, fmt.Sprintf("PIN (%s left, nothing cancels): ", prompt.Tries(int(s.status.PINRetries))))
	if err != nil {
		return pinuv.Token{}, err
	}
	defer pin.Wipe()
	token, err := s.platform().TokenWithPIN(ctx, pin, permissions, rpID)
	if errors.Is(err, ctap.PINPolicyViolation) { // a PIN in use breaks the rules only when they have changed
		return token, &failure{what: "the PIN has to be changed first", hint: "run `localpasskey pin change`", code: codePIN}
	}
	return token, p.countTries(ctx, s, err)
}

// countTries adds to the answer to a wrong PIN how many tries are left.
func (p *pinSource) countTries(ctx context.Context, s *session, err error) error {
	if !errors.Is(err, ctap.PINInvalid) && !errors.Is(err, ctap.PINAuthBlocked) {
		return err
	}
	left, _, retriesErr := s.retries(ctx)
	if retriesErr != nil {
		return errors.Join(err, retriesErr)
	}
	f := p.run.explain(err)
	f.what += "; " + prompt.Tries(int(left)) + " left"
	return f
}
