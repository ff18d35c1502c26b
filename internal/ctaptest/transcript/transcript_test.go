package transcript_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest/party"
	"github.com/localpasskey/localpasskey/internal/ctaptest/transcript"
)

// device answers getInfo, and refuses a selection after writing something.
type device struct {
	ctap.Authenticator

	disk string
}

func (d *device) GetInfo(context.Context) (*ctap.GetInfoResponse, error) {
	return &ctap.GetInfoResponse{Versions: []string{"FIDO_2_1"}, MaxMessageSize: 1650}, nil
}

func (d *device) Selection(context.Context) error {
	d.disk += "more"
	return ctap.OperationDenied
}

func (d *device) Reset(context.Context) error { return ctap.NotAllowed }

func play(t *testing.T, texts ...string) error {
	t.Helper()
	d := &device{}
	return transcript.Play(t.Context(), transcript.Device{
		Open:    func(string) ctap.Authenticator { return d },
		Person:  party.NewPerson(party.Auto, 0),
		Disk:    func() ([]byte, error) { return []byte(d.disk), nil },
		Records: func() ([]byte, error) { return nil, nil },
	}, map[string]any{"size": int64(1650)}, texts...)
}

func TestWhatMatches(t *testing.T) {
	for _, text := range []string{
		"> 0x04\n< 0x00 {1: [\"FIDO_2_1\"], 3: h'00000000000000000000000000000000', 5: 1650}",
		"> 0x04\n< 0x00 {1: [$v], 3: rep(h'00', 16), 5: $size}\n\n# again\n> 4\n< 0 {1: [$v], 3: bytes(16),\n  5: not(1) & _}",
		"> 0x04\n< 0x00 {1: _, ...}",
		"> 0x07\n< 0x30 NOT_ALLOWED   # it is too late",
		"> 0x0b\n< 0x27 OPERATION_DENIED, counted",
		"$x = cat(\"a\", h'00', cbor([1, true, -7]))\ndo sha256($x)\nasked nothing",
	} {
		if err := play(t, text); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
	if err := play(t, "$a = 1650", "> 4\n< 0 {5: $a, ...}"); err != nil {
		t.Errorf("a name is known in the text after: %v", err)
	}
}

func TestWhatDoesNot(t *testing.T) {
	for name, text := range map[string]string{
		"another value":       "> 0x04\n< 0x00 {1: _, 3: _, 5: 1651}",
		"another length":      "> 0x04\n< 0x00 {3: bytes(15), ...}",
		"the value itself":    "> 0x04\n< 0x00 {5: not(1650), ...}",
		"one entry too many":  "> 0x04\n< 0x00 {1: _, 3: _}",
		"one too few":         "> 0x04\n< 0x00 {6: _, ...}",
		"a name for two":      "> 0x04\n< 0x00 {3: $a, 5: $a, ...}",
		"half of both":        "> 0x04\n< 0x00 {5: 1650 & 1651, ...}",
		"no authenticator":    "> 0x04\n< 0x00 {3: auth({...}), ...}",
		"no signature":        "> 0x04\n< 0x00 {3: signed({1: 2}, h'', h''), ...}",
		"no body":             "> 0x04\n< 0x00",
		"a list of two":       "> 0x04\n< 0x00 {1: [_, _], ...}",
		"a refusal":           "> 0x07\n< 0x00",
		"another refusal":     "> 0x07\n< 0x27 OPERATION_DENIED",
		"success":             "> 0x04\n< 0x30 NOT_ALLOWED",
		"another name of it":  "> 0x07\n< 0x30 OPERATION_DENIED",
		"something is stored": "> 0x0b\n< 0x27 OPERATION_DENIED",
		"nobody looked":       "> 0x04",
		"nobody looked yet":   "> 0x04\n> 0x04",
		"no answer":           "< 0x00",
		"too fast":            "> 0x07\n< +1s 0x30 NOT_ALLOWED",
		"no such line":        "hello",
		"no such function":    "$x = nothing(1)",
		"no such name":        "> 0x04 $y",
		"no value":            "$x = _",
		"no end":              "$x = {1: 2",
		"two ends":            "$x = 1 2",
		"no hexadecimal":      "$x = h'0'",
		"no such person":      "person sleeps",
		"no such answer":      "person says perhaps",
		"not asked":           "asked register",
	} {
		if err := play(t, text); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// TestMismatch: what is shown differs in the lines that do not match, and in no other.
func TestMismatch(t *testing.T) {
	err := play(t, "> 4\n< 0 {1: [\"FIDO_2_1\"], 3: _, 5: $size & 1651}")
	mismatch, ok := errors.AsType[*transcript.Mismatch](err)
	if !ok || !strings.HasPrefix(err.Error(), "line 2: ") {
		t.Fatalf("%v", err)
	}
	const same = "0x00 {\n  1: [\"FIDO_2_1\"],\n  3: h'00000000000000000000000000000000',\n  5: "
	if mismatch.Want != same+"1651\n}" || mismatch.Got != same+"1650\n}" {
		t.Errorf("want %s\ngot %s", mismatch.Want, mismatch.Got)
	}
}
