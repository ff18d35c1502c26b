package manager

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/swtpm"
)

const pin = "correct horse"

// newDaemon is an API in front of a real authenticator with these passkeys
// ("service account").
func newDaemon(t *testing.T, passkeys ...string) *API {
	t.Helper()
	return newDaemonOn(t, "", passkeys...)
}

// newDaemonOn is newDaemon with fingerprints by the bus of that address.
func newDaemonOn(t *testing.T, bus string, passkeys ...string) *API {
	t.Helper()
	chip, err := swtpm.Start(t.Context(), t.TempDir())
	check(t, err)
	t.Cleanup(func() { check(t, chip.Close()) })
	d := daemon.New(daemon.Config{
		StorePath: filepath.Join(t.TempDir(), "passkeys.db"), OpenTPM: chip.Opener(), Version: "test",
		User: ctaptest.NewPerson(ctaptest.Auto, 0, pin), BuiltInUV: func() bool { return true }, Log: slog.New(slog.DiscardHandler),
		FingerprintBus: bus,
	})
	t.Cleanup(func() { check(t, d.Close()) })
	caller := ctap.Caller{UID: os.Getuid(), Door: ctap.DoorSocket, Programs: []string{"localpasskey"}}
	ctx := ctap.WithCaller(t.Context(), caller)
	c := d.Channel(caller)
	_, err = c.Vendor(ctx, ctap.CommandSetup, nil)
	check(t, err)
	check(t, ctap.Platform{Authenticator: c, Protocol: pinuv.Two}.SetPIN(ctx, secret.Of([]byte(pin))))
	for i, name := range passkeys {
		service, account, _ := strings.Cut(name, " ")
		_, err := c.MakeCredential(ctx, &ctap.MakeCredentialRequest{
			ClientDataHash: make([]byte, 32), RP: &ctap.RelyingParty{ID: service},
			User:       &ctap.User{ID: []byte{byte(i)}, Name: account},
			Parameters: []ctap.Parameter{{Algorithm: cose.ES256, Type: ctap.PublicKeyType}},
			Options:    &ctap.Options{RK: new(true), UV: new(true)},
		})
		check(t, err)
	}
	return apiOf(d.Channel(caller))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ask calls the API as the page does.
func (a *API) ask(t *testing.T, name string, request, into any) (refused string) {
	t.Helper()
	var body []byte
	if request != nil {
		var err error
		body, err = json.Marshal(request)
		check(t, err)
	}
	answer, ok := a.Call(t.Context(), name, body)
	if bytes.Contains(answer, []byte(pin)) {
		t.Errorf("%s answers with the PIN", name)
	}
	if len(bytes.Trim(body, "\x00")) != 0 {
		t.Errorf("%s leaves the request in memory", name)
	}
	if !ok {
		var r Refusal
		check(t, json.Unmarshal(answer, &r))
		return r.Error
	}
	if into != nil {
		check(t, json.Unmarshal(answer, into))
	}
	return ""
}

func (a *API) names(t *testing.T) (names string, ids []string) {
	t.Helper()
	var all []Passkey
	if refused := a.ask(t, "passkeys", nil, &all); refused != "" {
		t.Fatal(refused)
	}
	var list []string
	for _, p := range all {
		list, ids = append(list, p.Service+" "+p.UserName), append(ids, p.ID)
	}
	return strings.Join(list, ", "), ids
}

// silentBus is where no bus is: fingers are offered, and fprintd does not answer.
const silentBus = "unix:path=/nonexistent"

// TestFingerSetting: whether a finger may stand for the PIN is changed by the PIN, and told
// with what is in its way. Where none can, nothing is offered.
func TestFingerSetting(t *testing.T) {
	var settings Settings
	change := func(a *API, value, pin string) (done Done, refused string) {
		refused = a.ask(t, "configure", ConfigureRequest{Setting: "fingerprint", Value: value, PIN: []byte(pin)}, &done)
		settings = Settings{}
		if no := a.ask(t, "settings", nil, &settings); no != "" {
			t.Fatal(no)
		}
		return done, refused
	}
	a := newDaemonOn(t, silentBus)
	if _, refused := change(a, "on", "wrong"); !strings.Contains(refused, "PIN_INVALID") || settings.Fingers == nil || *settings.Fingers != (Fingers{}) {
		t.Errorf("%q, %+v", refused, settings.Fingers)
	}
	if done, refused := change(a, "on", pin); refused != "" || !strings.Contains(done.Done, "for 8 h") || settings.Fingers.Span != "8 h" || settings.Fingers.Trouble != "fprintd does not answer" || settings.Fingers.Hint == "" {
		t.Errorf("%+v, %q, %+v", done, refused, settings.Fingers)
	}
	if done, refused := change(a, "on", ""); refused != "" || done.Done != "It is on already." {
		t.Errorf("%+v, %q", done, refused)
	}
	if _, refused := change(a, "off", pin); refused != "" || *settings.Fingers != (Fingers{}) {
		t.Errorf("%q, %+v", refused, settings.Fingers)
	}
	if _, refused := change(newDaemon(t), "on", pin); !strings.Contains(refused, "a finger cannot stand for the PIN here") || settings.Fingers != nil {
		t.Errorf("%q, %+v", refused, settings.Fingers)
	}
}

func TestRename(t *testing.T) {
	a := newDaemon(t, "a.example alice")
	_, ids := a.names(t)
	wrong := a.ask(t, "rename", RenameRequest{ID: ids[0], UserName: "x", PIN: []byte("wrong")}, nil)
	if wrong == "" {
		t.Error("renamed by a wrong PIN")
	}
	var state State
	if a.ask(t, "state", nil, &state); state.Retries != 7 || !state.PINSet {
		t.Errorf("after a wrong PIN: %+v", state)
	}
	if refused := a.ask(t, "rename", RenameRequest{ID: ids[0], UserName: strings.Repeat("x", 65), PIN: []byte(pin)}, nil); !strings.Contains(refused, "65 bytes") {
		t.Errorf("a long name: %q", refused)
	}
	if refused := a.ask(t, "rename", RenameRequest{ID: "00", UserName: "x", PIN: []byte(pin)}, nil); refused == "" {
		t.Error("renamed what is not there")
	}
	if refused := a.ask(t, "rename", RenameRequest{ID: ids[0], UserName: "al\u202eice", DisplayName: "Alice", PIN: []byte(pin)}, nil); refused != "" {
		t.Error(refused)
	}
	if names, _ := a.names(t); names != "a.example alice" { // what turns the direction of writing is not shown
		t.Errorf("renamed to %q", names)
	}
}

// TestDelete holds that what was typed is what was asked for, that one PIN is enough for
// several services, and that the history tells.
func TestDelete(t *testing.T) {
	a := newDaemon(t, "a.example alice", "a.example bob", "b.example alice", "c.example alice")
	_, ids := a.names(t)
	for name, r := range map[string]DeleteRequest{
		"nothing typed":        {IDs: ids[:1], PIN: []byte(pin)},
		"another service":      {IDs: ids[:1], Typed: "b.example", PIN: []byte(pin)},
		"in capitals":          {IDs: ids[:1], Typed: "A.example", PIN: []byte(pin)},
		"several, one's name":  {IDs: ids[:3], Typed: "a.example", PIN: []byte(pin)},
		"another number":       {IDs: ids[:3], Typed: "delete 2 passkeys", PIN: []byte(pin)},
		"one that is not here": {IDs: Pick{ids[0], "00"}, Typed: "a.example", PIN: []byte(pin)},
		"none":                 {Typed: "delete 0 passkeys", PIN: []byte(pin)},
		"a wrong PIN":          {IDs: ids[:1], Typed: "a.example", PIN: []byte("wrong")},
		"no PIN":               {IDs: ids[:1], Typed: "a.example"},
	} {
		if refused := a.ask(t, "delete", r, nil); refused == "" {
			t.Errorf("%s: deleted", name)
		}
	}
	var gone Deleted
	if refused := a.ask(t, "delete", DeleteRequest{IDs: ids[:2], Typed: "a.example", PIN: []byte(pin)}, &gone); refused != "" || len(gone.IDs) != 2 {
		t.Errorf("one service's: %q, %+v", refused, gone)
	}
	if refused := a.ask(t, "delete", DeleteRequest{IDs: ids[2:], Typed: "delete 2 passkeys", PIN: []byte(pin)}, &gone); refused != "" || len(gone.IDs) != 2 {
		t.Errorf("several services': %q, %+v", refused, gone)
	}
	if names, _ := a.names(t); names != "" {
		t.Errorf("left: %s", names)
	}
	var h History
	if refused := a.ask(t, "history", nil, &h); refused != "" || h.Entries[0].Event != "deleted" || h.Entries[0].Service != "c.example" || h.Entries[0].AskedBy != "" {
		t.Errorf("the history: %q, %+v", refused, h)
	}
}

// TestCallsAreStrict sends what no page of ours sends.
func TestCallsAreStrict(t *testing.T) {
	a := apiOf(&listing{})
	for _, c := range [][2]string{
		{"", ""},
		{"nothing", ""},
		{"delete", ""},
		{"delete", "null null"},
		{"delete", `{"ids":["00"],"more":1}`},
		{"rename", `{"pin":"` + pin + `"}`},
		{"rename", "[]"},
		{"delete", `{"ids":"00"}`},
	} {
		answer, ok := a.Call(t.Context(), c[0], []byte(c[1]))
		if ok || bytes.Contains(answer, []byte(pin)) {
			t.Errorf("%s %s: %s", c[0], c[1], answer)
		}
	}
}

func TestAddress(t *testing.T) {
	for rpID, want := range map[string]string{
		"github.com": "https://github.com", "ssh:": "", "localhost": "", "a.example/b": "", "a.example:1": "",
		"user@a.example": "", "javascript:alert(1).x": "", ".example": "", "a.": "", "": "", "a b.example": "", "A.example": "",
	} {
		if got := Address(rpID); got != want {
			t.Errorf("%q is at %q, want %q", rpID, got, want)
		}
	}
}

// FuzzCall calls anything with anything: no panic, and always an answer in JSON.
func FuzzCall(f *testing.F) {
	for _, name := range []string{"state", "passkeys", "history", "settings", "rename", "delete", "configure", "hide", "compare"} {
		f.Add(name, []byte(`{"ids":["01"],"typed":"a.example","pin":"MTIzNA=="}`))
	}
	a := apiOf(&listing{passkeys: []ctap.Passkey{{CredentialID: []byte{1}, RPID: "a.example"}}})
	a.Dial = func(context.Context) (ctap.Authenticator, func() error, error) {
		return nil, nil, fmt.Errorf("nobody answers")
	}
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		if answer, _ := a.Call(t.Context(), name, body); !json.Valid(answer) {
			t.Errorf("%q", answer)
		}
	})
}
