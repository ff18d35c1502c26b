package authenticator_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/ctaptest/hidtest"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// messenger is a way to send a raw U2F request.
type messenger interface {
	Message(ctx context.Context, request []byte) ([]byte, error)
}

// u2fClient is a U2F client as its specification describes one.
type u2fClient struct {
	*testing.T
	m messenger
}

// send sends an extended APDU and splits the status word off.
func (u u2fClient) send(instruction, control byte, parts ...[]byte) ([]byte, uint16) {
	u.Helper()
	data := bytes.Join(parts, nil)
	request := []byte{0, instruction, control, 0, 0, byte(len(data) >> 8), byte(len(data))}
	response, err := u.m.Message(u.Context(), append(append(request, data...), 0, 0))
	check(u, err)
	end := len(response) - 2
	return response[:end], binary.BigEndian.Uint16(response[end:])
}

// u2fKey is what a U2F relying party keeps.
type u2fKey struct {
	handle      []byte
	public      *ecdsa.PublicKey
	certificate *x509.Certificate
}

// register registers and checks what a relying party would.
func (u u2fClient) register(application []byte) u2fKey {
	u.Helper()
	challenge := hash("register")
	data, word := u.send(1, 0, challenge, application)
	if word != 0x9000 || data[0] != 5 || data[66] != 32 {
		u.Fatalf("word %04x, data %x", word, data)
	}
	point, handle, rest := data[1:66], data[67:99], data[99:]
	length := 4 + int(binary.BigEndian.Uint16(rest[2:])) // a DER sequence of two length bytes
	certificate, err := x509.ParseCertificate(rest[:length])
	check(u, err)
	check(u, certificate.CheckSignature(x509.ECDSAWithSHA256, certificate.RawTBSCertificate, certificate.Signature))
	public := certificate.PublicKey.(*ecdsa.PublicKey)
	if got, err := public.Bytes(); err != nil || !bytes.Equal(got, point) {
		u.Errorf("the certificate is for %x, %v", got, err)
	}
	digest := sha256.Sum256(bytes.Join([][]byte{{0}, application, challenge, handle, point}, nil))
	if !ecdsa.VerifyASN1(public, digest[:], rest[length:]) {
		u.Error("the registration does not verify")
	}
	return u2fKey{handle, public, certificate}
}

// signIn authenticates and gives the flag and the counter; ok is whether the
// signature verifies.
func (u u2fClient) signIn(k u2fKey, application []byte, control byte) (flag byte, count uint32, ok bool) {
	u.Helper()
	challenge := hash("sign in")
	data, word := u.send(2, control, challenge, application, []byte{byte(len(k.handle))}, k.handle)
	if word != 0x9000 {
		u.Fatalf("word %04x", word)
	}
	digest := sha256.Sum256(bytes.Join([][]byte{application, data[:5], challenge}, nil))
	return data[0], binary.BigEndian.Uint32(data[1:5]), ecdsa.VerifyASN1(k.public, digest[:], data[5:])
}

// word gives the status word of an authentication.
func (u u2fClient) word(control byte, handle, application []byte) uint16 {
	u.Helper()
	_, word := u.send(2, control, hash("sign in"), application, []byte{byte(len(handle))}, handle)
	return word
}

func TestU2FInProcess(t *testing.T) {
	s := newStack(t)
	testU2F(t, s, s.Channel(ctap.DoorHID))
}

func TestU2FOverCTAPHID(t *testing.T) {
	s := newStack(t)
	channel, err := hidtest.NewHID(plug(t, s).Open())
	check(t, err)
	testU2F(t, s, channel)
}

func testU2F(t *testing.T, s *stack, m messenger) {
	t.Helper()
	s.alwaysUV(t, false)
	u := u2fClient{t, m}
	if data, word := u.send(3, 0); string(data) != "U2F_V2" || word != 0x9000 {
		t.Errorf("version %q, %04x", data, word)
	}
	application := hash(rpID) // so that CTAP 2 finds it too
	one, two := u.register(application), u.register(application)
	if asks := s.person.Asked(); len(asks) != 2 || asks[0].Verify != nil {
		t.Fatalf("asked %+v", asks)
	}
	if bytes.Equal(one.certificate.RawSubjectPublicKeyInfo, two.certificate.RawSubjectPublicKeyInfo) ||
		one.certificate.SerialNumber.Cmp(two.certificate.SerialNumber) == 0 || !one.certificate.NotBefore.Equal(two.certificate.NotBefore) {
		t.Error("two registrations can be linked by their certificates")
	}
	for want := range uint32(3) {
		if flag, count, ok := u.signIn(one, application, 3); flag != 1 || count != want+1 || !ok {
			t.Errorf("flag %d, count %d, verifies %v", flag, count, ok)
		}
	}
	s.person.Asked()
	if flag, count, ok := u.signIn(one, application, 8); flag != 0 || count != 4 || !ok || len(s.person.Asked()) != 0 {
		t.Errorf("without presence: flag %d, count %d, verifies %v", flag, count, ok)
	}
	for name, c := range map[string]struct {
		control     byte
		handle, app []byte
		want        uint16
	}{
		"check only":             {7, one.handle, application, 0x6985},
		"check, another's":       {7, one.handle, hash("other.example"), 0x6A80},
		"check, nobody's":        {7, make([]byte, 32), application, 0x6A80},
		"another site's":         {3, one.handle, hash("other.example"), 0x6A80},
		"no handle":              {3, nil, application, 0x6A80},
		"a control of no number": {9, one.handle, application, 0x6A86},
	} {
		if got := u.word(c.control, c.handle, c.app); got != c.want {
			t.Errorf("%s: %04x, want %04x", name, got, c.want)
		}
	}
	if asks := s.person.Asked(); len(asks) != 0 {
		t.Errorf("checking asked %+v", asks)
	}
	s.person.SetTouch(ctaptest.Deny)
	if got := u.word(3, one.handle, application); got != 0x6F00 {
		t.Errorf("a no: %04x", got)
	}
	if _, word := u.send(1, 0, hash("register"), application); word != 0x6F00 {
		t.Errorf("a no to a registration: %04x", word)
	}
	s.person.SetTouch(ctaptest.Auto)
	testU2FBesideCTAP2(t, s, u, one)
}

// testU2FBesideCTAP2: CTAP 2 uses a U2F key, U2F uses none that is bound to the PIN, and
// alwaysUv ends U2F at once.
func testU2FBesideCTAP2(t *testing.T, s *stack, u u2fClient, k u2fKey) {
	t.Helper()
	p := ctap.Platform{Authenticator: s.Channel(ctap.DoorHID), Protocol: pinuv.Two}
	info, err := p.Authenticator.GetInfo(t.Context())
	check(t, err)
	if !slices.Contains(info.Versions, "U2F_V2") {
		t.Errorf("versions %v", info.Versions)
	}
	response, err := p.Authenticator.GetAssertion(t.Context(), &ctap.GetAssertionRequest{
		RPID: rpID, ClientDataHash: hash("sign in"), AllowList: []ctap.Descriptor{{ID: k.handle, Type: ctap.PublicKeyType}},
	})
	check(t, err)
	data, err := webauthn.ParseAuthenticatorData(response.AuthData)
	check(t, err)
	if data.Flags != webauthn.FlagUP || response.User != nil {
		t.Errorf("flags %08b, user %+v", data.Flags, response.User)
	}
	check(t, p.SetPIN(t.Context(), secret.Of([]byte("1234"))))
	s.alwaysUV(t, true)
	if _, err := u.m.Message(t.Context(), []byte{0, 3, 0, 0}); !errors.Is(err, ctap.InvalidCommand) {
		t.Errorf("with alwaysUv a message is answered %v", err)
	}
	if info, err = p.Authenticator.GetInfo(t.Context()); err != nil || slices.Contains(info.Versions, "U2F_V2") {
		t.Errorf("versions %v, %v", info.Versions, err)
	}
	_, err = p.Authenticator.MakeCredential(t.Context(), register(t, p))
	check(t, err)
	s.alwaysUV(t, false)
	for c, err := range s.store.Each() {
		check(t, err)
		if want := map[bool]uint16{true: 0x6A80, false: 0x6985}[c.Discoverable]; u.word(7, c.ID, hash(rpID)) != want {
			t.Errorf("a check of a credential with binding %d is not %04x", c.Key.Binding, want)
		}
	}
}

// The capability says what is so when a program opens the device.
func TestU2FCapability(t *testing.T) {
	s := newStack(t)
	n := plug(t, s)
	for _, always := range []bool{true, false, true} {
		s.alwaysUV(t, always)
		channel, err := hidtest.NewHID(n.Open())
		check(t, err)
		if noMessages := channel.Capabilities()&8 != 0; noMessages != always {
			t.Errorf("alwaysUv %v, capabilities %02x", always, channel.Capabilities())
		}
	}
}
