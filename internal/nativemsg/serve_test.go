package nativemsg

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/swtpm"
)

const pin = "correct horse"

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hostOf is a host in front of a real authenticator that is set up.
func hostOf(t *testing.T) (*Host, *ctaptest.Person) {
	t.Helper()
	chip, err := swtpm.Start(t.Context(), t.TempDir())
	ok(t, err)
	t.Cleanup(func() { ok(t, chip.Close()) })
	person := ctaptest.NewPerson(ctaptest.Auto, 0, pin)
	d := daemon.New(daemon.Config{
		StorePath: filepath.Join(t.TempDir(), "passkeys.db"), OpenTPM: chip.Opener(), Version: "test",
		User: person, BuiltInUV: func() bool { return true }, Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(func() { ok(t, d.Close()) })
	caller := ctap.Caller{UID: os.Getuid(), Door: ctap.DoorSocket}
	channel := d.Channel(caller)
	_, err = channel.Vendor(t.Context(), ctap.CommandSetup, nil)
	ok(t, err)
	ok(t, ctap.Platform{Authenticator: channel, Protocol: pinuv.Two}.SetPIN(t.Context(), secret.Of([]byte(pin))))
	return &Host{
		Version: "test", Log: slog.New(slog.DiscardHandler),
		Dial: func(context.Context) (ctap.Authenticator, func() error, error) {
			return d.Channel(caller), func() error { return nil }, nil
		},
		Manage: func(context.Context) error { return errors.New("no manager here") },
	}, person
}

// port is a browser's end of a stream.
type port struct {
	*testing.T

	in    *io.PipeWriter
	out   *io.PipeReader
	ended chan error
}

func open(t *testing.T, h *Host) *port {
	t.Helper()
	in, write := io.Pipe()
	read, out := io.Pipe()
	p := &port{T: t, in: write, out: read, ended: make(chan error, 1)}
	go func() {
		err := h.Serve(t.Context(), in, out)
		_ = in.CloseWithError(io.ErrClosedPipe)
		_ = out.Close()
		p.ended <- err
	}()
	return p
}

func (p *port) say(message string) {
	p.Helper()
	_, err := p.in.Write(append(binary.NativeEndian.AppendUint32(nil, uint32(len(message))), message...))
	ok(p.T, err)
}

func (p *port) hear() (a struct {
	Protocol        int
	Asking, Browser bool
	Result          json.RawMessage
	Error           *struct{ Name, Message string }
},
) {
	p.Helper()
	message, err := readFrame(p.out)
	ok(p.T, err)
	ok(p.T, json.Unmarshal(message, &a))
	if a.Protocol != Protocol {
		p.Errorf("%s", message)
	}
	return a
}

const (
	site     = `"protocol":1,"origin":"https://example.com","crossOrigin":false,"activated":true`
	creation = `{` + site + `,"op":"create","options":{"rp":{"name":"x"},"user":{"id":"AQ","name":"alice","displayName":""},"challenge":"AAAA",` +
		`"pubKeyCredParams":[{"type":"public-key","alg":-7}],"authenticatorSelection":{"residentKey":"required"},"extensions":{}}}`
)

// TestServe: one port, question after question.
func TestServe(t *testing.T) {
	t.Parallel()
	h, _ := hostOf(t)
	p := open(t, h)
	p.say(creation)
	if a := p.hear(); !a.Asking {
		t.Errorf("%+v", a)
	}
	var made struct{ ID string }
	if a := p.hear(); json.Unmarshal(a.Result, &made) != nil || made.ID == "" {
		t.Errorf("%+v", a)
	}
	p.say(`{"protocol":1,"op":"status"}`)
	var told struct {
		Ready, SetUp, PINSet bool
		PINRetries, Passkeys uint
		Version, Problem     string
	}
	if a := p.hear(); json.Unmarshal(a.Result, &told) != nil || !told.SetUp || !told.PINSet || told.PINRetries != 8 || told.Passkeys != 1 || told.Version != "test" {
		t.Errorf("%+v", told)
	}
	for message, want := range map[string]string{
		`{` + site + `,"op":"count"}`: `{"passkeys":1}`,
		`{` + site + `,"op":"get","options":{"challenge":"AA","allowCredentials":[{"type":"public-key","id":"AQID"}]}}`: "browser",
		`{` + site + `,"op":"signalUnknownCredential","options":{"rpId":"example.com","credentialId":"AQID"}}`:          `{}`,
		`{` + site + `,"op":"signalUnknownCredential","options":{"rpId":"example.org","credentialId":"AQID"}}`:          "browser",
		`{` + site + `,"op":"signalUnknownCredential","options":{"rpId":"example.com"}}`:                                "TypeError",
		`{` + site + `,"op":"get","options":{"challenge":"AA","surprise":1}}`:                                           "browser",
		`{` + site + `,"op":"get"}`:                             "browser",
		`{` + site + `,"op":"dance"}`:                           "browser",
		`{"protocol":2,"op":"status"}`:                          "browser",
		`{"protocol":1,"op":"manage"}`:                          "OperationError",
		`{"protocol":1,"op":"count","origin":"https://a.test"}`: `{"passkeys":0}`,
	} {
		p.say(message)
		a := p.hear()
		got := string(a.Result)
		if a.Browser {
			got = "browser"
		} else if a.Error != nil {
			got = a.Error.Name
		}
		if got != want {
			t.Errorf("%s: %s, want %s", message, got, want)
		}
	}
	ok(t, p.in.Close())
	ok(t, <-p.ended)
}

// TestWithdrawn: when the browser closes the port, the prompt closes, and the next port
// works.
func TestWithdrawn(t *testing.T) {
	t.Parallel()
	h, person := hostOf(t)
	person.SetTouch(ctaptest.Hold)
	p := open(t, h)
	p.say(creation)
	if a := p.hear(); !a.Asking {
		t.Errorf("%+v", a)
	}
	<-person.Opened()
	closed := time.Now()
	ok(t, p.in.Close())
	ok(t, <-p.ended)
	t.Logf("ended %v after the port", time.Since(closed).Round(time.Millisecond))
	person.SetTouch(ctaptest.Auto)
	p = open(t, h)
	p.say(creation)
	p.hear()
	if a := p.hear(); len(a.Result) == 0 {
		t.Errorf("afterwards: %+v", a)
	}
}

// TestToldToEnd: a host that nobody asks anything ends when it is told to.
func TestToldToEnd(t *testing.T) {
	t.Parallel()
	h, _ := hostOf(t)
	in, write := io.Pipe()
	defer write.Close()
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- h.Serve(ctx, in, io.Discard) }()
	end()
	ok(t, <-ended)
}

// TestJunk: what is no message of ours ends the stream with an error, and nothing else.
func TestJunk(t *testing.T) {
	t.Parallel()
	h, person := hostOf(t)
	frame := func(body string) string {
		return string(binary.NativeEndian.AppendUint32(nil, uint32(len(body)))) + body
	}
	for name, in := range map[string]string{
		"text":            "what a day\n",
		"no JSON":         frame("what a day"),
		"an array":        frame("[]"),
		"a space":         frame(" "),
		"two values":      frame(`{"protocol":1,"op":"status"} {}`),
		"unknown member":  frame(`{"protocol":1,"op":"status","pin":"1"}`),
		"nothing":         frame(""),
		"too long":        "\xff\xff\xff\xff",
		"half a length":   "\x05\x00",
		"half a message":  "\x05\x00\x00\x00{",
		"a wrong type":    frame(`{"protocol":"1"}`),
		"a nested origin": frame(`{"protocol":1,"op":"create","origin":{}}`),
	} {
		var out bytes.Buffer
		if err := h.Serve(t.Context(), strings.NewReader(in), &out); err == nil || out.Len() > 0 {
			t.Errorf("%s: %v, and %q is written", name, err, out.String())
		}
	}
	if asked := person.Asked(); len(asked) > 0 {
		t.Errorf("asked %+v", asked)
	}
	if err := h.Serve(t.Context(), strings.NewReader(""), io.Discard); err != nil {
		t.Errorf("an empty stream: %v", err)
	}
}

// TestImpatient: who does not wait for answers is cut off, and what was asked is withdrawn.
func TestImpatient(t *testing.T) {
	t.Parallel()
	h, person := hostOf(t)
	person.SetTouch(ctaptest.Hold)
	p := open(t, h)
	p.say(creation)
	p.hear()
	go func() { // the first of them waits in line, and the next ones find it full
		for range 3 {
			if _, err := p.in.Write([]byte("\x02\x00\x00\x00{}")); err != nil {
				return
			}
		}
	}()
	if err := <-p.ended; !errors.Is(err, errFrame) {
		t.Errorf("%v", err)
	}
}

// TestUnreachable: without a daemon pages get the browser's functions, and the person is
// told why.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	h := &Host{
		Version: "test", Log: slog.New(slog.DiscardHandler),
		Dial: func(context.Context) (ctap.Authenticator, func() error, error) {
			return nil, nil, &ctap.Problem{What: "nobody answers", Hint: "start it"}
		},
	}
	p := open(t, h)
	p.say(creation)
	if a := p.hear(); !a.Browser {
		t.Errorf("%+v", a)
	}
	p.say(`{"protocol":1,"op":"status"}`)
	if a := p.hear(); !strings.Contains(string(a.Result), `"ready":false,"problem":"nobody answers","hint":"start it"`) {
		t.Errorf("%s", a.Result)
	}
}

// TestTrouble: each reason for which pages would not be served has its words.
func TestTrouble(t *testing.T) {
	t.Parallel()
	good := ctap.StatusResponse{SetUp: true, PINSet: true, PINRetries: 8, Prompt: ctap.PromptAgent}
	if what, _ := trouble(&good); what != "" {
		t.Errorf("nothing is wrong: %q", what)
	}
	for want, change := range map[string]func(*ctap.StatusResponse){
		"no TPM":     func(s *ctap.StatusResponse) { s.Problem = &ctap.Problem{What: "no TPM", Hint: "x"} },
		"not set up": func(s *ctap.StatusResponse) { s.SetUp = false },
		"no PIN":     func(s *ctap.StatusResponse) { s.PINSet = false },
		"is locked":  func(s *ctap.StatusResponse) { s.PINRetries = 0 },
		"in a row":   func(s *ctap.StatusResponse) { s.Reinsert = true },
		"nobody to":  func(s *ctap.StatusResponse) { s.Prompt = ctap.PromptNone },
	} {
		s := good
		change(&s)
		if what, hint := trouble(&s); !strings.Contains(what, want) || hint == "" {
			t.Errorf("%s: %q, %q", want, what, hint)
		}
	}
}

// deaf is an authenticator that is not there; what a message does short of it is fuzzed.
type deaf struct{ ctap.Authenticator }

func (deaf) GetInfo(context.Context) (*ctap.GetInfoResponse, error) { return nil, ctap.Other }

func (deaf) Vendor(context.Context, ctap.Command, cbor.Raw) (cbor.Raw, error) {
	return nil, ctap.Other
}

// FuzzServe: any bytes end in frames and an error at most.
func FuzzServe(f *testing.F) {
	for _, message := range []string{creation, `{"protocol":1,"op":"status"}`, `{` + site + `,"op":"get","options":{"challenge":"AA"}}`} {
		f.Add(append(binary.NativeEndian.AppendUint32(nil, uint32(len(message))), message...))
	}
	h := &Host{
		Log: slog.New(slog.DiscardHandler),
		Dial: func(context.Context) (ctap.Authenticator, func() error, error) {
			return deaf{}, func() error { return nil }, nil
		},
		Manage: func(context.Context) error { return nil },
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		_ = h.Serve(t.Context(), bytes.NewReader(in), &out)
		for out.Len() > 0 {
			message, err := readFrame(&out)
			if err != nil || !json.Valid(message) {
				t.Fatalf("%q, %v", message, err)
			}
		}
	})
}
