package inventory

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

func passkey(service, name, handle string, used int64) ctap.Passkey {
	return ctap.Passkey{
		CredentialID: []byte("credential id"), RPID: service, User: ctap.User{ID: []byte(handle), Name: name},
		Created: 1_700_000_000, LastUsed: used,
	}
}

func encoded(t testing.TB, l *List) string {
	t.Helper()
	out, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out) + "\n"
}

// TestNothingSecret holds that a list has no credential id and no user handle.
func TestNothingSecret(t *testing.T) {
	text := encoded(t, Of("laptop", []ctap.Passkey{passkey("a.example", "alice", "the handle", 1_700_000_001)}, time.Unix(1_700_000_002, 0)))
	for _, no := range []string{"credential id", "the handle", "Y3JlZGVudGlhbCBpZA", "dGhlIGhhbmRsZQ", "63726564", "74686520"} {
		if strings.Contains(text, no) {
			t.Errorf("%q is in %s", no, text)
		}
	}
	list, err := Decode(strings.NewReader(text))
	if err != nil || list.Device != "laptop" || list.Passkeys[0].UserName != "alice" {
		t.Errorf("it decodes as %+v, %v", list, err)
	}
}

// TestCompare holds that accounts are matched by the service's own name for them.
func TestCompare(t *testing.T) {
	now := time.Unix(1_700_000_002, 0)
	laptop := Of("laptop", []ctap.Passkey{
		passkey("a.example", "alice", "1", 0), passkey("a.example", "old name", "2", 0),
		passkey("b.example", "alice", "1", 0), passkey("b.example", "alice", "1", 0),
	}, now)
	desktop := Of("desktop", []ctap.Passkey{
		passkey("a.example", "new name", "2", 0), passkey("c.example", "alice", "1", 1_700_000_001),
	}, now)
	c := Compare(laptop, desktop)
	names := func(list []Passkey) (all []string) {
		for _, p := range list {
			all = append(all, p.Service+" "+p.UserName)
		}
		return all
	}
	for what, pair := range map[string][2][]string{
		"only on the laptop":  {names(c.OnlyA), {"a.example alice", "b.example alice"}},
		"only on the desktop": {names(c.OnlyB), {"c.example alice"}},
		"on both":             {names(c.Both), {"a.example old name"}},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s: %q, want %q", what, pair[0], pair[1])
		}
	}
	if lacks := desktop.Lacks([]ctap.Passkey{passkey("a.example", "new", "2", 0), passkey("a.example", "alice", "1", 0)}); len(lacks) != 1 || lacks[0].User.Name != "alice" {
		t.Errorf("the desktop lacks %+v", lacks)
	}
}

func TestDecodeRefuses(t *testing.T) {
	right := encoded(t, Of("laptop", []ctap.Passkey{passkey("a.example", "alice", "1", 1)}, time.Unix(1, 0)))
	for name, change := range map[string][2]string{
		"another format":    {format, "another inventory"},
		"another version":   {`"version": 1`, `"version": 2`},
		"a field unknown":   {`"device"`, `"private_key": "", "device"`},
		"no service":        {`"a.example"`, `""`},
		"a long name":       {`"alice"`, `"` + strings.Repeat("a", maxText+1) + `"`},
		"no account":        {`"account": "`, `"account": "x`},
		"no list":           {`"passkeys": [`, `"passkeys": null, "passkeys_": [`},
		"something follows": {"]\n}\n", "]\n}\n{}"},
		"not text":          {"alice", "al\xffice"},
		"cut short":         {"]\n}\n", "]"},
	} {
		text := strings.Replace(right, change[0], change[1], 1)
		if text == right {
			t.Errorf("%s: nothing changed", name)
		}
		if list, err := Decode(strings.NewReader(text)); err == nil {
			t.Errorf("%s: decodes as %+v", name, list)
		}
	}
	if _, err := Decode(strings.NewReader(right)); err != nil {
		t.Errorf("the right one: %v", err)
	}
}

// FuzzDecode decodes anything: no panic, and what decodes comes back the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(encoded(f, Of("laptop", []ctap.Passkey{passkey("a.example", "alice", "1", 1)}, time.Unix(1, 0)))))
	f.Add([]byte(`{"format":"localpasskey inventory","version":1,"passkeys":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := Decode(bytes.NewReader(data))
		if err != nil {
			return
		}
		out, err := json.Marshal(list)
		if err != nil {
			t.Skip("a time that JSON has no form for")
		}
		again, err := Decode(bytes.NewReader(out))
		if err != nil || encoded(t, again) != encoded(t, list) {
			t.Errorf("%+v comes back as %+v, %v", list, again, err)
		}
	})
}
