package pinuv_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
)

func both() []pinuv.Protocol { return []pinuv.Protocol{pinuv.One, pinuv.Two} }

func keyAgreement(t testing.TB) *pinuv.KeyAgreement {
	t.Helper()
	k, err := pinuv.NewKeyAgreement()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// ends gives the platform's and the authenticator's view of one secret.
func ends(t testing.TB, p pinuv.Protocol) (platform, authenticator *pinuv.Shared) {
	t.Helper()
	k := keyAgreement(t)
	public, platform, err := pinuv.Encapsulate(p, k.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	authenticator, err = k.Decapsulate(p, public)
	if err != nil {
		t.Fatal(err)
	}
	return platform, authenticator
}

func TestBothEndsAgree(t *testing.T) {
	t.Parallel()
	for _, p := range both() {
		platform, authenticator := ends(t, p)
		for _, length := range []int{0, 16, 32, 64, 80} {
			plain := secret.Random(length).Reveal()
			for from, to := range map[*pinuv.Shared]*pinuv.Shared{platform: authenticator, authenticator: platform} {
				enc, err := from.Encrypt(plain)
				if err != nil {
					t.Fatal(err)
				}
				if want := length + 16*int(p-1); len(enc) != want {
					t.Errorf("protocol %d: %d bytes became %d, want %d", p, length, len(enc), want)
				}
				dec, err := to.Decrypt(enc)
				if err != nil || !bytes.Equal(dec.Reveal(), plain) {
					t.Errorf("protocol %d: %x came back as %x, %v", p, plain, dec.Reveal(), err)
				}
				if mac := from.Authenticate(enc); !to.Verify(enc, mac) {
					t.Errorf("protocol %d: the other end's MAC does not verify", p)
				}
			}
		}
	}
}

// The same text twice: equal under protocol One, which has no IV, never under Two.
func TestIV(t *testing.T) {
	t.Parallel()
	for _, p := range both() {
		shared, _ := ends(t, p)
		first, err := shared.Encrypt(make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		second, err := shared.Encrypt(make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(first, second) != (p == pinuv.One) {
			t.Errorf("protocol %d: %x and %x", p, first, second)
		}
	}
}

func TestLengths(t *testing.T) {
	t.Parallel()
	for _, p := range both() {
		shared, _ := ends(t, p)
		for length := range 70 {
			text := make([]byte, length)
			_, err := shared.Encrypt(text)
			if (err == nil) != (length%16 == 0) || err != nil && !errors.Is(err, pinuv.ErrLength) {
				t.Errorf("protocol %d encrypts %d bytes: %v", p, length, err)
			}
			_, err = shared.Decrypt(text)
			ok := length%16 == 0 && (p == pinuv.One || length >= 16)
			if (err == nil) != ok || err != nil && !errors.Is(err, pinuv.ErrLength) {
				t.Errorf("protocol %d decrypts %d bytes: %v", p, length, err)
			}
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	message := []byte("message")
	for _, p := range both() {
		shared, _ := ends(t, p)
		token := pinuv.RandomToken(p)
		for name, v := range map[string]interface {
			Authenticate([]byte) []byte
			Verify(msg, mac []byte) bool
		}{"shared": shared, "token": token} {
			mac := v.Authenticate(message)
			if want := 16 * int(p); len(mac) != want || !v.Verify(message, mac) {
				t.Fatalf("%s, protocol %d: MAC of %d bytes", name, p, len(mac))
			}
			for length := range mac {
				if v.Verify(message, mac[:length]) {
					t.Errorf("%s, protocol %d: verifies the first %d bytes", name, p, length)
				}
			}
			if v.Verify(message, append(bytes.Clone(mac), 0)) || v.Verify(message, nil) || v.Verify(nil, mac) {
				t.Errorf("%s, protocol %d: verifies what it must not", name, p)
			}
			for bit := range len(mac) * 8 {
				wrong := bytes.Clone(mac)
				wrong[bit/8] ^= 1 << (bit % 8)
				if v.Verify(message, wrong) {
					t.Errorf("%s, protocol %d: verifies with bit %d turned", name, p, bit)
				}
			}
		}
	}
}

// A MAC of one protocol is none of the other, though one is the other's start.
func TestProtocolsAreApart(t *testing.T) {
	t.Parallel()
	key := secret.Random(32)
	one, two := pinuv.NewToken(pinuv.One, key), pinuv.NewToken(pinuv.Two, key)
	message := []byte("message")
	if one.Verify(message, two.Authenticate(message)) || two.Verify(message, one.Authenticate(message)) {
		t.Error("a MAC crosses over")
	}
}

func TestWipedVerifiesNothing(t *testing.T) {
	t.Parallel()
	message := []byte("message")
	for _, p := range both() {
		platform, authenticator := ends(t, p)
		enc, err := platform.Encrypt(make([]byte, 16))
		if err != nil {
			t.Fatal(err)
		}
		token := pinuv.RandomToken(p)
		forgotten := token
		mac, tokenMAC := platform.Authenticate(message), token.Authenticate(message)
		authenticator.Wipe()
		token.Wipe()
		if authenticator.Verify(message, mac) || token.Verify(message, tokenMAC) || forgotten.Verify(message, tokenMAC) {
			t.Errorf("protocol %d: verifies after Wipe", p)
		}
		// A key that anybody can guess must not stand in for the wiped one.
		for _, guess := range []secret.Bytes{secret.Of(make([]byte, 32)), secret.Of([]byte{}), {}} {
			if forged := pinuv.NewToken(p, guess).Authenticate(message); token.Verify(message, forged) || authenticator.Verify(message, forged) {
				t.Errorf("protocol %d: a wiped key of %d zeroes verifies", p, guess.Len())
			}
		}
		if _, err := authenticator.Decrypt(enc); err == nil {
			t.Errorf("protocol %d: decrypts after Wipe", p)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for _, p := range both() {
		a, b := pinuv.RandomToken(p), pinuv.RandomToken(p)
		if a.Protocol() != p || a.Secret().Len() != 32 || a.Secret().Equal(b.Secret()) {
			t.Errorf("protocol %d: two tokens are equal, or not of 32 bytes", p)
		}
		copied := pinuv.NewToken(p, a.Secret().Clone())
		if !copied.Verify([]byte("m"), a.Authenticate([]byte("m"))) || b.Verify([]byte("m"), a.Authenticate([]byte("m"))) {
			t.Errorf("protocol %d: tokens mix their MACs up", p)
		}
	}
	var none pinuv.Token
	if none.Verify(nil, nil) || none.Verify([]byte("m"), none.Authenticate([]byte("m"))) {
		t.Error("the zero token verifies")
	}
}

func TestProtocolValid(t *testing.T) {
	t.Parallel()
	for p, valid := range map[pinuv.Protocol]bool{0: false, 1: true, 2: true, 3: false, 257: false} {
		if p.Valid() != valid {
			t.Errorf("protocol %d: Valid is not %v", p, valid)
		}
		k := keyAgreement(t)
		_, _, err := pinuv.Encapsulate(p, k.PublicKey())
		if (err == nil) != valid || !valid && !errors.Is(err, pinuv.ErrProtocol) {
			t.Errorf("Encapsulate(%d): %v", p, err)
		}
		if _, err := k.Decapsulate(p, keyAgreement(t).PublicKey()); (err == nil) != valid || !valid && !errors.Is(err, pinuv.ErrProtocol) {
			t.Errorf("Decapsulate(%d): %v", p, err)
		}
	}
}

// getInfo lists protocols as an array of integers (§6.4, 0x06).
func TestProtocolsEncodeAsArray(t *testing.T) {
	t.Parallel()
	data, err := cbor.Marshal(both())
	if err != nil || !bytes.Equal(data, []byte{0x82, 1, 2}) {
		t.Errorf("encodes to %x, %v", data, err)
	}
	var decoded []pinuv.Protocol
	if err := cbor.Unmarshal(data, &decoded); err != nil || len(decoded) != 2 || decoded[1] != pinuv.Two {
		t.Errorf("decodes to %v, %v", decoded, err)
	}
}

func TestRegenerate(t *testing.T) {
	t.Parallel()
	for _, p := range both() {
		k := keyAgreement(t)
		before := k.PublicKey()
		public, shared, err := pinuv.Encapsulate(p, before)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Regenerate(); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(before.X, k.PublicKey().X) {
			t.Error("the key is the old one")
		}
		late, err := k.Decapsulate(p, public)
		if err != nil {
			t.Fatal(err)
		}
		if late.Verify([]byte("m"), shared.Authenticate([]byte("m"))) {
			t.Error("what was meant for the old key opens with the new")
		}
	}
}

func TestPeersThatAreRefused(t *testing.T) {
	t.Parallel()
	k := keyAgreement(t)
	good := keyAgreement(t).PublicKey()
	signing, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signingKey, err := cose.FromECDSA(&signing.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, peer := range map[string]cose.Key{
		"nothing":         {},
		"off the curve":   {Algorithm: good.Algorithm, Curve: good.Curve, X: good.X, Y: good.X},
		"the origin":      {Algorithm: good.Algorithm, Curve: good.Curve, X: make([]byte, 32), Y: make([]byte, 32)},
		"short":           {Algorithm: good.Algorithm, Curve: good.Curve, X: good.X[1:], Y: good.Y},
		"named P-384":     {Algorithm: good.Algorithm, Curve: cose.P384, X: good.X, Y: good.Y},
		"a signing key":   signingKey,
		"another purpose": {Algorithm: cose.ES256, Curve: good.Curve, X: good.X, Y: good.Y},
	} {
		for _, p := range both() {
			if shared, err := k.Decapsulate(p, peer); !errors.Is(err, cose.ErrKey) || shared != nil {
				t.Errorf("Decapsulate of %s: %v", name, err)
			}
			if _, shared, err := pinuv.Encapsulate(p, peer); !errors.Is(err, cose.ErrKey) || shared != nil {
				t.Errorf("Encapsulate to %s: %v", name, err)
			}
		}
	}
}

func TestNothingPrintsKeys(t *testing.T) {
	t.Parallel()
	token := pinuv.NewToken(pinuv.Two, secret.Of([]byte("0123456789abcdef0123456789abcdef")))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		got := fmt.Sprintf(verb, token)
		for _, leak := range []string{"0123456789", "30313233", "48 49 50", "0x30, 0x31"} {
			if strings.Contains(got, leak) {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
}

// FuzzDecrypt: any text gives an error by its length alone, and a plaintext that
// encrypts back otherwise.
func FuzzDecrypt(f *testing.F) {
	f.Add(byte(1), []byte{})
	f.Add(byte(2), make([]byte, 15))
	f.Add(byte(2), make([]byte, 48))
	f.Add(byte(1), make([]byte, 64))
	one, _ := ends(f, pinuv.One)
	two, _ := ends(f, pinuv.Two)
	f.Fuzz(func(t *testing.T, protocol byte, text []byte) {
		shared, overhead := one, 0
		if protocol%2 == 0 {
			shared, overhead = two, 16
		}
		plain, err := shared.Decrypt(text)
		if ok := len(text)%16 == 0 && len(text) >= overhead; (err == nil) != ok {
			t.Fatalf("%d bytes: %v", len(text), err)
		}
		if err != nil {
			return
		}
		if plain.Len() != len(text)-overhead {
			t.Fatalf("%d bytes became %d", len(text), plain.Len())
		}
		again, err := shared.Encrypt(plain.Reveal())
		if err != nil || overhead == 0 && !bytes.Equal(again, text) {
			t.Fatalf("%x became %x, %v", text, again, err)
		}
	})
}

// FuzzDecapsulate: whatever arrives as a platform's key gives a secret that both
// ends could have, or cose.ErrKey.
func FuzzDecapsulate(f *testing.F) {
	good := keyAgreement(f).PublicKey()
	f.Add(uint(1), int64(good.Algorithm), int64(good.Curve), good.X, good.Y)
	f.Add(uint(2), int64(good.Algorithm), int64(good.Curve), good.X, good.X)
	f.Add(uint(2), int64(cose.ES256), int64(cose.P256), good.X, good.Y)
	f.Add(uint(0), int64(0), int64(0), []byte{}, []byte{})
	k := keyAgreement(f)
	f.Fuzz(func(t *testing.T, p uint, algorithm, curve int64, x, y []byte) {
		peer := cose.Key{Algorithm: cose.Algorithm(algorithm), Curve: cose.Curve(curve), X: x, Y: y}
		shared, err := k.Decapsulate(pinuv.Protocol(p), peer)
		if err != nil {
			if !errors.Is(err, cose.ErrKey) && !errors.Is(err, pinuv.ErrProtocol) {
				t.Fatalf("%v is neither error", err)
			}
			return
		}
		if _, err := peer.ECDH(); err != nil || !pinuv.Protocol(p).Valid() {
			t.Fatalf("agreed with %+v: %v", peer, err)
		}
		if !shared.Verify(x, shared.Authenticate(x)) {
			t.Fatal("its own MAC does not verify")
		}
	})
}
