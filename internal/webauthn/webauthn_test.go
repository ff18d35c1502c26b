package webauthn_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

func newKey(t testing.TB) (*ecdsa.PrivateKey, cose.Key) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := cose.FromECDSA(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return private, key
}

func TestAAGUIDString(t *testing.T) {
	t.Parallel()
	a := webauthn.AAGUID{0xad, 0xce, 0x00, 0x02, 0x35, 0xbc, 0xc6, 0x0a, 0x64, 0x8b, 0x0b, 0x25, 0xf1, 0xf0, 0x55, 0x03}
	if got := a.String(); got != "adce0002-35bc-c60a-648b-0b25f1f05503" {
		t.Error(got)
	}
	if got := (webauthn.AAGUID{}).String(); got != "00000000-0000-0000-0000-000000000000" {
		t.Error(got)
	}
}

func TestRPIDHash(t *testing.T) {
	t.Parallel()
	// SHA-256("example.com").
	hash := webauthn.RPIDHash("example.com")
	if got := hex.EncodeToString(hash[:]); got != "a379a6f6eeafb9a55e378c118034e2751e682fab9f2d30ab13d2125586ce1947" {
		t.Error(got)
	}
}

// The fields lie where WebAuthn L3 §6.1 puts them.
func TestAuthenticatorDataLayout(t *testing.T) {
	t.Parallel()
	_, key := newKey(t)
	d := webauthn.AuthenticatorData{
		RPIDHash: [32]byte(bytes.Repeat([]byte{0xaa}, 32)), Flags: webauthn.FlagUP | webauthn.FlagUV, SignCount: 0x01020304,
		Attested:   &webauthn.AttestedCredential{AAGUID: webauthn.AAGUID{0xbb}, CredentialID: []byte{0xcc, 0xdd}, PublicKey: key},
		Extensions: cbor.Raw{0xa1, 0x61, 'x', 0xf5},
	}
	data, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := cbor.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Join([][]byte{
		bytes.Repeat([]byte{0xaa}, 32),
		{0x01 | 0x04 | 0x40 | 0x80},
		{1, 2, 3, 4},
		{0xbb},
		make([]byte, 15),
		{0, 2, 0xcc, 0xdd},
		encoded,
		{0xa1, 0x61, 'x', 0xf5},
	}, nil)
	if !bytes.Equal(data, want) {
		t.Errorf("got  %x\nwant %x", data, want)
	}
	parsed, err := webauthn.ParseAuthenticatorData(data)
	if err != nil || parsed.SignCount != 0x01020304 || parsed.Flags != 0xc5 || parsed.Attested.AAGUID != d.Attested.AAGUID ||
		!bytes.Equal(parsed.Extensions, d.Extensions) {
		t.Errorf("%+v, %v", parsed, err)
	}
	clear(data)
	if !bytes.Equal(parsed.Attested.CredentialID, []byte{0xcc, 0xdd}) || !bytes.Equal(parsed.Extensions, d.Extensions) {
		t.Error("the input was kept")
	}
}

// AT and ED say what is there, whatever the caller put into Flags.
func TestFlagsFollowContent(t *testing.T) {
	t.Parallel()
	_, key := newKey(t)
	attested := &webauthn.AttestedCredential{CredentialID: []byte{1}, PublicKey: key}
	for name, c := range map[string]struct {
		data webauthn.AuthenticatorData
		want byte
	}{
		"neither":    {webauthn.AuthenticatorData{Flags: webauthn.FlagUP | webauthn.FlagAT | webauthn.FlagED}, 0x01},
		"attested":   {webauthn.AuthenticatorData{Flags: webauthn.FlagED, Attested: attested}, 0x40},
		"extensions": {webauthn.AuthenticatorData{Flags: webauthn.FlagAT, Extensions: cbor.Raw{0xa0}}, 0x80},
		"backup":     {webauthn.AuthenticatorData{Flags: webauthn.FlagBE | webauthn.FlagBS}, 0x18},
	} {
		if data, err := c.data.Marshal(); err != nil || data[32] != c.want {
			t.Errorf("%s: %x, %v", name, data, err)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	t.Parallel()
	_, key := newKey(t)
	agreement := key
	agreement.Algorithm = cose.ECDHESHKDF256
	attested := func(idBytes int, key cose.Key) webauthn.AuthenticatorData {
		return webauthn.AuthenticatorData{Attested: &webauthn.AttestedCredential{CredentialID: make([]byte, idBytes), PublicKey: key}}
	}
	for name, c := range map[string]struct {
		data webauthn.AuthenticatorData
		want error
	}{
		"BS without BE":          {webauthn.AuthenticatorData{Flags: webauthn.FlagUP | webauthn.FlagBS}, webauthn.ErrMalformed},
		"reserved flag 1":        {webauthn.AuthenticatorData{Flags: 0x02}, webauthn.ErrMalformed},
		"reserved flag 5":        {webauthn.AuthenticatorData{Flags: 0x20}, webauthn.ErrMalformed},
		"no credential ID":       {attested(0, key), webauthn.ErrMalformed},
		"credential ID of 1024":  {attested(1024, key), webauthn.ErrMalformed},
		"no key":                 {attested(16, cose.Key{}), cose.ErrKey},
		"key agreement key":      {attested(16, agreement), cose.ErrKey},
		"extensions are no map":  {webauthn.AuthenticatorData{Extensions: cbor.Raw{0x80}}, cbor.ErrType},
		"extensions not strings": {webauthn.AuthenticatorData{Extensions: cbor.Raw{0xa1, 1, 1}}, cbor.ErrType},
		"extensions cut":         {webauthn.AuthenticatorData{Extensions: cbor.Raw{0xa1}}, cbor.ErrMalformed},
	} {
		if data, err := c.data.Marshal(); !errors.Is(err, c.want) {
			t.Errorf("%s: %x, %v; want %v", name, data, err, c.want)
		}
	}
	if _, err := attested(1023, key).Marshal(); err != nil {
		t.Errorf("credential ID of 1023: %v", err)
	}
}

func TestParseAuthenticatorDataRefuses(t *testing.T) {
	t.Parallel()
	_, key := newKey(t)
	good, err := webauthn.AuthenticatorData{
		Attested:   &webauthn.AttestedCredential{CredentialID: []byte{1, 2}, PublicKey: key},
		Extensions: cbor.Raw{0xa1, 0x61, 'x', 0xf5},
	}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for length := range good {
		if d, err := webauthn.ParseAuthenticatorData(good[:length]); err == nil {
			t.Errorf("the first %d of %d bytes: %+v", length, len(good), d)
		}
	}
	flags := func(f byte) func([]byte) []byte {
		return func(b []byte) []byte { b[32] = f; return b }
	}
	for name, c := range map[string]struct {
		change func([]byte) []byte
		want   error
	}{
		"trailing byte":           {func(b []byte) []byte { return append(b, 0) }, cbor.ErrMalformed},
		"without the AT flag":     {flags(0x80), cbor.ErrMalformed},
		"without the ED flag":     {flags(0x40), webauthn.ErrMalformed},
		"BS without BE":           {flags(0xd0), webauthn.ErrMalformed},
		"reserved flag":           {flags(0xc2), webauthn.ErrMalformed},
		"the other reserved flag": {flags(0xe0), webauthn.ErrMalformed},
		"no credential ID": {func(b []byte) []byte {
			return append(append(b[:53:53], 0, 0), b[57:]...)
		}, webauthn.ErrMalformed},
		"credential ID longer than all": {func(b []byte) []byte { b[53] = 0xff; return b }, webauthn.ErrMalformed},
		"credential ID of 1024": {func(b []byte) []byte {
			return append(append(append(b[:53:53], 4, 0), make([]byte, 1024)...), b[57:]...)
		}, webauthn.ErrMalformed},
		"key off its curve": {func(b []byte) []byte {
			b[len(b)-5] ^= 1 // the last byte of y
			return b
		}, cose.ErrKey},
		"extensions are no map": {func(b []byte) []byte { return append(b[:len(b)-4], 0x80) }, cbor.ErrType},
		"extensions twice":      {func(b []byte) []byte { return append(b, 0xa0) }, cbor.ErrMalformed},
	} {
		if d, err := webauthn.ParseAuthenticatorData(c.change(bytes.Clone(good))); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v; want %v", name, d, err, c.want)
		}
	}
}

func TestParseAttestationObjectRefuses(t *testing.T) {
	t.Parallel()
	// {"fmt": …, "attStmt": …, "authData": …}
	const fmtNone, stmtEmpty, data = "63666d74646e6f6e65", "6761747453746d74a0", "68617574684461746141aa"
	if o, err := webauthn.ParseAttestationObject(unhex("a3" + fmtNone + stmtEmpty + data)); err != nil || o.Format != "none" {
		t.Fatalf("%+v, %v", o, err)
	}
	for name, c := range map[string]struct {
		object string
		want   error
	}{
		"no format":         {"a2" + stmtEmpty + data, webauthn.ErrMalformed},
		"empty format":      {"a3" + "63666d7460" + stmtEmpty + data, webauthn.ErrMalformed},
		"no statement":      {"a2" + fmtNone + data, webauthn.ErrMalformed},
		"statement a text":  {"a3" + fmtNone + "6761747453746d7460" + data, webauthn.ErrMalformed},
		"no data":           {"a2" + fmtNone + stmtEmpty, webauthn.ErrMalformed},
		"empty data":        {"a3" + fmtNone + stmtEmpty + "68617574684461746140", webauthn.ErrMalformed},
		"data a text":       {"a3" + fmtNone + stmtEmpty + "6861757468446174616161", cbor.ErrType},
		"a foreign entry":   {"a4" + "616101" + fmtNone + stmtEmpty + data, webauthn.ErrMalformed},
		"one, but not ours": {"a3" + "616101" + fmtNone + stmtEmpty, webauthn.ErrMalformed},
		"another order":     {"a3" + stmtEmpty + fmtNone + data, cbor.ErrMalformed},
		"trailing byte":     {"a3" + fmtNone + stmtEmpty + data + "00", cbor.ErrMalformed},
		"integer keys":      {"a3" + "01646e6f6e65" + "0241aa" + "03a0", webauthn.ErrMalformed},
		"an array":          {"83" + "646e6f6e65" + "a0" + "41aa", cbor.ErrType},
		"nothing":           {"", cbor.ErrMalformed},
	} {
		if o, err := webauthn.ParseAttestationObject(unhex(c.object)); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v; want %v", name, o, err, c.want)
		}
	}
	for name, o := range map[string]webauthn.AttestationObject{
		"no format":        {Statement: cbor.Raw{0xa0}, AuthData: []byte{1}},
		"no statement":     {Format: "none", AuthData: []byte{1}},
		"statement a bool": {Format: "none", Statement: cbor.Raw{0xf5}, AuthData: []byte{1}},
		"no data":          {Format: "none", Statement: cbor.Raw{0xa0}},
	} {
		if data, err := o.Marshal(); !errors.Is(err, webauthn.ErrMalformed) {
			t.Errorf("encodes with %s: %x, %v", name, data, err)
		}
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func TestParsePackedStatementRefuses(t *testing.T) {
	t.Parallel()
	const alg, sig, x5c = "63616c6726", "6373696741aa", "6378356380"
	if s, err := webauthn.ParsePackedStatement(unhex("a2" + alg + sig)); err != nil || s.Algorithm != cose.ES256 || s.X5C != nil {
		t.Fatalf("%+v, %v", s, err)
	}
	for name, c := range map[string]struct {
		statement string
		want      error
	}{
		"no algorithm":      {"a1" + sig, webauthn.ErrMalformed},
		"no signature":      {"a1" + alg, webauthn.ErrMalformed},
		"empty signature":   {"a2" + alg + "6373696740", webauthn.ErrMalformed},
		"empty chain":       {"a3" + alg + sig + x5c, webauthn.ErrMalformed},
		"chain of texts":    {"a3" + alg + sig + "6378356381" + "6161", cbor.ErrType},
		"algorithm a text":  {"a2" + "63616c676161" + sig, cbor.ErrType},
		"signature a text":  {"a2" + alg + "637369676161", cbor.ErrType},
		"empty map":         {"a0", webauthn.ErrMalformed},
		"null for chain":    {"a3" + alg + sig + "63783563f6", cbor.ErrType},
		"not canonical":     {"a2" + sig + alg, cbor.ErrMalformed},
		"statement of none": {"80", cbor.ErrType},
	} {
		if s, err := webauthn.ParsePackedStatement(unhex(c.statement)); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v; want %v", name, s, err, c.want)
		}
	}
}

func TestVerifyPackedSelfRefuses(t *testing.T) {
	t.Parallel()
	private, key := newKey(t)
	_, otherKey := newKey(t)
	clientDataHash := bytes.Repeat([]byte{7}, 32)
	marshal := func(v any) []byte {
		data, err := cbor.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	authData := func(d webauthn.AuthenticatorData) []byte {
		data, err := d.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	sign := func(data []byte) []byte {
		digest := sha256.Sum256(append(bytes.Clone(data), clientDataHash...))
		signature, err := ecdsa.SignASN1(rand.Reader, private, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	data := authData(webauthn.AuthenticatorData{Attested: &webauthn.AttestedCredential{CredentialID: []byte{1}, PublicKey: key}})
	foreign := authData(webauthn.AuthenticatorData{Attested: &webauthn.AttestedCredential{CredentialID: []byte{1}, PublicKey: otherKey}})
	bare := authData(webauthn.AuthenticatorData{})
	statement := marshal(webauthn.PackedStatement{Algorithm: cose.ES256, Signature: sign(data)})
	packed := func(statement, data []byte) webauthn.AttestationObject {
		return webauthn.AttestationObject{Format: "packed", Statement: statement, AuthData: data}
	}
	if err := webauthn.VerifyPackedSelf(packed(statement, data), clientDataHash); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		object webauthn.AttestationObject
		hash   []byte
		want   error
	}{
		"format none":         {webauthn.AttestationObject{Format: "none", Statement: statement, AuthData: data}, clientDataHash, webauthn.ErrSignature},
		"another hash":        {packed(statement, data), bytes.Repeat([]byte{8}, 32), webauthn.ErrSignature},
		"a short hash":        {packed(statement, data), clientDataHash[:31], webauthn.ErrMalformed},
		"no hash":             {packed(statement, data), nil, webauthn.ErrMalformed},
		"another key":         {packed(statement, foreign), clientDataHash, webauthn.ErrSignature},
		"another's signature": {packed(marshal(webauthn.PackedStatement{Algorithm: cose.ES256, Signature: sign(foreign)}), foreign), clientDataHash, webauthn.ErrSignature},
		"another algorithm":   {packed(marshal(webauthn.PackedStatement{Algorithm: cose.ES384, Signature: sign(data)}), data), clientDataHash, webauthn.ErrSignature},
		"a certificate":       {packed(marshal(webauthn.PackedStatement{Algorithm: cose.ES256, Signature: sign(data), X5C: [][]byte{{1}}}), data), clientDataHash, webauthn.ErrSignature},
		"no DER":              {packed(marshal(webauthn.PackedStatement{Algorithm: cose.ES256, Signature: make([]byte, 64)}), data), clientDataHash, webauthn.ErrSignature},
		"no credential":       {packed(marshal(webauthn.PackedStatement{Algorithm: cose.ES256, Signature: sign(bare)}), bare), clientDataHash, webauthn.ErrSignature},
		"no statement":        {packed(nil, data), clientDataHash, cbor.ErrMalformed},
		"no data":             {packed(statement, nil), clientDataHash, webauthn.ErrMalformed},
	} {
		if err := webauthn.VerifyPackedSelf(c.object, c.hash); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// CCDToString (WebAuthn L3 §5.8.1.1) differs from every JSON library.
func TestClientDataJSON(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data webauthn.ClientData
		want string
	}{
		"plain": {
			webauthn.ClientData{Type: "webauthn.get", Challenge: "AAEC", Origin: "https://example.org"},
			`{"type":"webauthn.get","challenge":"AAEC","origin":"https://example.org","crossOrigin":false}`,
		},
		"cross-origin": {
			webauthn.ClientData{Type: "webauthn.get", Challenge: "AAEC", Origin: "https://a.example", CrossOrigin: true},
			`{"type":"webauthn.get","challenge":"AAEC","origin":"https://a.example","crossOrigin":true}`,
		},
		"top origin": {
			webauthn.ClientData{Type: "webauthn.get", Challenge: "AAEC", Origin: "https://a.example", CrossOrigin: true, TopOrigin: "https://b.example"},
			`{"type":"webauthn.get","challenge":"AAEC","origin":"https://a.example","crossOrigin":true,"topOrigin":"https://b.example"}`,
		},
		"top origin of the same origin": {
			webauthn.ClientData{Type: "webauthn.get", Challenge: "AAEC", Origin: "https://a.example", TopOrigin: "https://b.example"},
			`{"type":"webauthn.get","challenge":"AAEC","origin":"https://a.example","crossOrigin":false}`,
		},
		"escapes": {
			webauthn.ClientData{Type: "a\"b\\c/d", Challenge: "\x00\x08\t\n\r\x1f\x7f", Origin: "<é&\u2028😀>\xff"},
			`{"type":"a\"b\\c/d","challenge":"\u0000\u0008\u0009\u000a\u000d\u001f` + "\x7f" + `","origin":"<é&` + "\u2028" + `😀>` + "\ufffd" + `","crossOrigin":false}`,
		},
	} {
		got := c.data.JSON()
		if string(got) != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
		if !json.Valid(got) {
			t.Errorf("%s: not JSON", name)
		}
	}
}

func TestChallengeText(t *testing.T) {
	t.Parallel()
	// RFC 4648 §5: the two letters that differ, and no padding.
	if got := webauthn.ChallengeText([]byte{0xfb, 0xff, 0xbf, 0x00}); got != "-_-_AA" {
		t.Error(got)
	}
}

func TestParseClientData(t *testing.T) {
	t.Parallel()
	want := webauthn.ClientData{Type: "webauthn.get", Challenge: "AAEC", Origin: "https://example.org"}
	for name, data := range map[string]string{
		"as serialized":       string(want.JSON()),
		"another order":       ` { "origin" : "https://example.org" , "challenge":"AAEC","type":"webauthn.get" } `,
		"escaped":             `{"type":"webauthn\u002eget","challenge":"AAEC","origin":"https:\/\/example.org"}`,
		"unknown members":     `{"type":"webauthn.get","challenge":"AAEC","origin":"https://example.org","tokenBinding":{"status":"x"},"n":[1,null]}`,
		"another case":        `{"type":"webauthn.get","challenge":"AAEC","origin":"https://example.org","Type":"x","ORIGIN":7}`,
		"cross-origin, false": `{"type":"webauthn.get","challenge":"AAEC","origin":"https://example.org","crossOrigin":false}`,
	} {
		if got, err := webauthn.ParseClientData([]byte(data)); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	member := func(more string) string {
		return `{"type":"webauthn.get","challenge":"AAEC","origin":"https://example.org"` + more + `}`
	}
	for name, data := range map[string]string{
		"nothing":                "",
		"an array":               "[]",
		"null":                   "null",
		"two objects":            member("") + member(""),
		"cut":                    strings.TrimSuffix(member(""), "}"),
		"trailing comma":         member(","),
		"no comma":               member(` "a":1`),
		"byte order mark":        "\ufeff" + member(""),
		"not UTF-8":              member(",\"a\":\"\xff\""),
		"type twice":             member(`,"type":"webauthn.create"`),
		"type twice, escaped":    member(`,"\u0074ype":"webauthn.get"`),
		"unknown twice":          member(`,"a":1,"a":1`),
		"no type":                `{"challenge":"AAEC","origin":"https://example.org"}`,
		"no challenge":           `{"type":"webauthn.get","origin":"https://example.org"}`,
		"no origin":              `{"type":"webauthn.get","challenge":"AAEC"}`,
		"empty origin":           `{"type":"webauthn.get","challenge":"AAEC","origin":""}`,
		"type a number":          `{"type":1,"challenge":"AAEC","origin":"https://example.org"}`,
		"type null":              `{"type":null,"challenge":"AAEC","origin":"https://example.org"}`,
		"cross-origin a text":    member(`,"crossOrigin":"true"`),
		"cross-origin null":      member(`,"crossOrigin":null`),
		"top origin alone":       member(`,"topOrigin":"https://b.example"`),
		"top origin, not cross":  member(`,"crossOrigin":false,"topOrigin":"https://b.example"`),
		"top origin empty":       member(`,"crossOrigin":true,"topOrigin":""`),
		"challenge padded":       `{"type":"webauthn.get","challenge":"AA==","origin":"https://example.org"}`,
		"challenge not url-safe": `{"type":"webauthn.get","challenge":"+/+/","origin":"https://example.org"}`,
		"challenge's spare bits": `{"type":"webauthn.get","challenge":"AB","origin":"https://example.org"}`,
		"challenge with newline": `{"type":"webauthn.get","challenge":"AA\nEC","origin":"https://example.org"}`,
	} {
		if got, err := webauthn.ParseClientData([]byte(data)); !errors.Is(err, webauthn.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// FuzzParseAuthenticatorData: what parses encodes to the same bytes.
func FuzzParseAuthenticatorData(f *testing.F) {
	for _, v := range loadVectors(f).Vectors {
		f.Add([]byte(v.Authentication.AuthData))
		if object, err := webauthn.ParseAttestationObject(v.Registration.Object); err == nil {
			f.Add(object.AuthData)
		}
	}
	f.Add(append(make([]byte, 32), 0x80, 0, 0, 0, 0, 0xa1, 0x61, 'x', 0xf5))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := webauthn.ParseAuthenticatorData(data)
		if err != nil {
			if !errors.Is(err, webauthn.ErrMalformed) && !errors.Is(err, cbor.ErrMalformed) && !errors.Is(err, cbor.ErrType) && !errors.Is(err, cose.ErrKey) {
				t.Fatalf("%x: %v", data, err)
			}
			return
		}
		if again, err := d.Marshal(); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%x became %x, %v", data, again, err)
		}
	})
}

// FuzzAttestationObject: what parses encodes to the same bytes; verifying it never
// panics.
func FuzzAttestationObject(f *testing.F) {
	for _, v := range loadVectors(f).Vectors {
		f.Add([]byte(v.Registration.Object))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		object, err := webauthn.ParseAttestationObject(data)
		if err != nil {
			if !errors.Is(err, webauthn.ErrMalformed) && !errors.Is(err, cbor.ErrMalformed) && !errors.Is(err, cbor.ErrType) {
				t.Fatalf("%x: %v", data, err)
			}
			return
		}
		if again, err := object.Marshal(); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%x became %x, %v", data, again, err)
		}
		if err := webauthn.VerifyPackedSelf(object, make([]byte, 32)); err == nil {
			t.Fatalf("%x verifies over a hash of zeroes", data)
		}
	})
}

// FuzzParseClientData: what parses serializes to what parses to the same.
func FuzzParseClientData(f *testing.F) {
	for _, v := range loadVectors(f).Vectors {
		f.Add([]byte(v.Registration.ClientData))
		f.Add([]byte(v.Authentication.ClientData))
	}
	f.Add([]byte(`{"type":"\ud800","challenge":"","origin":"\u0000","a":{"a":[1e9,null]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := webauthn.ParseClientData(data)
		if err != nil {
			if !errors.Is(err, webauthn.ErrMalformed) {
				t.Fatalf("%q: %v", data, err)
			}
			return
		}
		if again, err := webauthn.ParseClientData(c.JSON()); err != nil || again != c {
			t.Fatalf("%q: %+v became %+v, %v", data, c, again, err)
		}
	})
}
