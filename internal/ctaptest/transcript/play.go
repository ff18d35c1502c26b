package transcript

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest/party"
)

// Device is what a transcript is played to.
type Device struct {
	// Open gives the channel of that name; what is called socket is one of the socket.
	Open       func(name string) ctap.Authenticator
	Person     *party.Person
	PowerCycle func() error
	Reboot     func() error
	// Disk gives what is stored, as it is; Records what is stored but for sign counts.
	Disk, Records func() ([]byte, error)
}

// Mismatch is an answer that is not the one that was written down: both as text, the
// same in all lines that match.
type Mismatch struct{ Want, Got string }

// Error says no more than that: who shows it shows the difference.
func (m *Mismatch) Error() string { return "want " + m.Want + "\ngot " + m.Got }

// stage is a transcript that is being played.
type stage struct {
	ctx      context.Context //nolint:containedctx // One play is one call.
	device   Device
	names    map[string]any
	channels map[string]ctap.Authenticator
	now      string        // the channel in use
	cancel   time.Duration // of the next request, 0 for never
	answer   []byte        // nil for none that is waited for
	took     time.Duration
	before   []byte // what was stored
	records  []byte // but for sign counts
}

// Play plays texts to a device, one after another. names are known from the start:
// numbers, texts, bytes. An error that is a Mismatch comes from an answer.
func Play(ctx context.Context, device Device, names map[string]any, texts ...string) error {
	s := &stage{ctx: ctx, device: device, names: map[string]any{
		"mc": int64(ctap.PermissionMakeCredential), "ga": int64(ctap.PermissionGetAssertion),
		"cm": int64(ctap.PermissionCredentialManagement), "be": int64(ctap.PermissionBioEnrollment),
		"lbw": int64(ctap.PermissionLargeBlobWrite), "acfg": int64(ctap.PermissionConfiguration),
		"pcmr": int64(ctap.PermissionPersistentReadOnly),
	}, channels: map[string]ctap.Authenticator{}, now: "one"}
	maps.Copy(s.names, names)
	for _, text := range texts {
		if err := s.play(text); err != nil { //nolint:contextcheck // The stage has it.
			return err
		}
	}
	return nil
}

// play plays one text.
func (s *stage) play(text string) error {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); {
		first, line := i+1, uncommented(lines[i])
		for i++; i < len(lines) && strings.HasPrefix(lines[i], " "); i++ {
			line += "\n" + uncommented(lines[i])
		}
		if err := s.step(strings.TrimSpace(line)); err != nil {
			return fmt.Errorf("line %d: %s: %w", first, line, err)
		}
	}
	if s.answer != nil {
		return fmt.Errorf("at the end: nobody looked at the answer %x", s.answer)
	}
	return nil
}

func uncommented(line string) string {
	if strings.HasPrefix(line, "#") {
		return ""
	}
	line, _, _ = strings.Cut(line, " # ")
	return line
}

func (s *stage) channel() ctap.Authenticator {
	if s.channels[s.now] == nil {
		s.channels[s.now] = s.device.Open(s.now)
	}
	return s.channels[s.now]
}

func (s *stage) step(line string) error {
	if line == "" {
		return nil
	}
	kind, rest, _ := strings.Cut(line, " ")
	if s.answer != nil && kind != "<" {
		return fmt.Errorf("nobody looked at the answer %x", s.answer)
	}
	switch {
	case kind == ">":
		return s.send(rest)
	case kind == "<":
		return s.expect(rest)
	case kind == "do":
		return s.work("", rest)
	case strings.HasPrefix(kind, "$"):
		return s.work(kind[1:], strings.TrimPrefix(strings.TrimSpace(rest), "="))
	case kind == ".":
		return s.pass(rest)
	case kind == "person":
		return s.person(rest)
	case kind == "asked":
		return s.asked(rest)
	case kind == "channel":
		s.now = rest
		return nil
	case line == "power cycle":
		return s.device.PowerCycle()
	case line == "reboot":
		s.channels = map[string]ctap.Authenticator{}
		return s.device.Reboot()
	case strings.HasPrefix(line, "cancel after "):
		var err error
		s.cancel, err = time.ParseDuration(strings.TrimPrefix(line, "cancel after "))
		return err
	}
	return errors.New("there is no such line")
}

// work gives a value a name, or makes it for its own sake.
func (s *stage) work(name, text string) error {
	n, err := parse(text)
	if err != nil {
		return err
	}
	v, err := s.value(n)
	if err != nil {
		return err
	}
	if name != "" {
		s.names[name] = v
	}
	return nil
}

func (s *stage) pass(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	select {
	case <-time.After(d):
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// send makes a request of a command byte and a value; bytes are sent as they are.
func (s *stage) send(text string) error {
	first, rest, _ := strings.Cut(text, " ")
	command, err := strconv.ParseUint(strings.TrimSpace(first), 0, 8)
	if err != nil {
		return err
	}
	request := []byte{byte(command)}
	if strings.TrimSpace(rest) != "" {
		n, err := parse(rest)
		if err != nil {
			return err
		}
		v, err := s.value(n)
		if err != nil {
			return err
		}
		raw, ok := v.([]byte)
		if !ok {
			if raw, err = cbor.Marshal(v); err != nil {
				return err
			}
		}
		request = append(request, raw...)
	}
	if err := s.look(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	if s.cancel > 0 {
		time.AfterFunc(s.cancel, cancel)
		s.cancel = 0
	}
	began := time.Now()
	s.answer = ctap.Serve(ctx, s.channel(), request)
	s.took = time.Since(began)
	return nil
}

// look notes what is stored.
func (s *stage) look() (err error) {
	if s.before, err = s.device.Disk(); err != nil {
		return err
	}
	s.records, err = s.device.Records()
	return err
}

// expect compares the answer with what is written down.
func (s *stage) expect(text string) error {
	answer := s.answer
	if len(answer) == 0 {
		return errors.New("there is no answer to compare this with")
	}
	s.answer = nil
	first, rest, _ := strings.Cut(text, " ")
	if after, timed := strings.CutPrefix(first, "+"); timed {
		d, err := time.ParseDuration(after)
		if err != nil || d != s.took {
			return fmt.Errorf("it came after %v (%w)", s.took, err)
		}
		first, rest, _ = strings.Cut(rest, " ")
	}
	status, err := strconv.ParseUint(strings.TrimSpace(first), 0, 8)
	if err != nil {
		return err
	}
	if status != 0 {
		return s.refused(ctap.Status(status), strings.TrimSpace(rest), answer)
	}
	if answer[0] != 0 {
		return &Mismatch{Want: text, Got: named(ctap.Status(answer[0]))}
	}
	return s.body(strings.TrimSpace(rest), answer[1:])
}

// body compares the body of an answer.
func (s *stage) body(text string, item []byte) error {
	switch {
	case text == "" && len(item) == 0:
		return nil
	case text == "" || len(item) == 0:
		return &Mismatch{Want: "0x00 " + text, Got: fmt.Sprintf("0x00 h'%x'", item)}
	}
	pattern, err := parse(text)
	if err != nil {
		return err
	}
	v, err := decode(item)
	if err != nil {
		return err
	}
	if want, got := s.match(pattern, v, "\n"); want != got {
		return &Mismatch{Want: "0x00 " + want, Got: "0x00 " + got}
	}
	return nil
}

// refused compares a status, and what was stored before with what is now.
func (s *stage) refused(status ctap.Status, name string, answer []byte) error {
	name, counted := strings.CutSuffix(name, ", counted")
	if want := named(status); !strings.HasSuffix(want, "_"+name) || name == "" {
		return fmt.Errorf("the status is %s", want)
	}
	if len(answer) != 1 || ctap.Status(answer[0]) != status {
		got := named(ctap.Status(answer[0]))
		if len(answer) > 1 {
			got += fmt.Sprintf(" h'%x'", answer[1:])
		}
		return &Mismatch{Want: named(status), Got: got}
	}
	before, records := s.before, s.records
	if err := s.look(); err != nil {
		return err
	}
	if !bytes.Equal(records, s.records) || !counted && !bytes.Equal(before, s.before) {
		return errors.New("what is stored was changed by a request that was refused")
	}
	return nil
}

func named(status ctap.Status) string {
	return fmt.Sprintf("%#02x %s", byte(status), status.Error())
}

// person changes how the person answers.
func (s *stage) person(text string) error {
	verb, how, _ := strings.Cut(text, " ")
	switch verb {
	case "says":
		touch, ok := map[string]party.Touch{"yes": party.Auto, "no": party.Deny, "nothing": party.Hold}[how]
		if !ok {
			break
		}
		s.device.Person.SetTouch(touch)
		return nil
	case "types":
		n, err := parse("[" + how + "]")
		if err != nil {
			return err
		}
		all, err := s.value(n)
		if err != nil {
			return err
		}
		var pins []string
		items, _ := all.([]any)
		for _, pin := range items {
			pins = append(pins, fmt.Sprint(pin))
		}
		s.device.Person.SetPINs(pins...)
		return nil
	}
	return errors.New("no person does that")
}

// asked compares the questions since it was last called.
func (s *stage) asked(text string) error {
	var got []string
	for _, ask := range s.device.Person.Asked() {
		got = append(got, string(ask.Operation))
	}
	if len(got) == 0 {
		got = []string{"nothing"}
	}
	if all := strings.Join(got, ", "); all != text {
		return &Mismatch{Want: "asked " + text, Got: "asked " + all}
	}
	return nil
}
