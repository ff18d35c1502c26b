package cose_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
)

// From RFC 9052 Appendix C.7.1: a public key, here with an algorithm and without
// its key ID.
const (
	rfcX = "65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d"
	rfcY = "1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func encoded(alg, curve, x, y string) string {
	return "a5 01 02 03 " + alg + " 20 " + curve + " 21 " + x + " 22 " + y
}

func rfcKey() []byte { return unhex(encoded("26", "01", "5820"+rfcX, "5820"+rfcY)) }

func TestKnownKey(t *testing.T) {
	t.Parallel()
	var key cose.Key
	if err := cbor.Unmarshal(rfcKey(), &key); err != nil {
		t.Fatal(err)
	}
	if key.Algorithm != cose.ES256 || key.Curve != cose.P256 || !bytes.Equal(key.X, unhex(rfcX)) || !bytes.Equal(key.Y, unhex(rfcY)) {
		t.Errorf("decoded %+v", key)
	}
	for _, v := range []any{key, &key} {
		if again, err := cbor.Marshal(v); err != nil || !bytes.Equal(again, rfcKey()) {
			t.Errorf("%T encodes to %x, %v", v, again, err)
		}
	}
	// The prefix of every P-256 SubjectPublicKeyInfo (RFC 5480), then the point.
	want := unhex("3059301306072a8648ce3d020106082a8648ce3d030107034200 04" + rfcX + rfcY)
	if der, err := key.SPKI(); err != nil || !bytes.Equal(der, want) {
		t.Errorf("SPKI %x, %v", der, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	x, y := "5820"+rfcX, "5820"+rfcY
	zero := "5820" + strings.Repeat("00", 32)
	prime := "5820ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
	valid := encoded("26", "01", x, y)
	for name, c := range map[string]struct {
		data string
		want error
	}{
		"off the curve":           {encoded("26", "01", x, "5820"+rfcX), cose.ErrKey},
		"the origin":              {encoded("26", "01", zero, zero), cose.ErrKey},
		"x not reduced":           {encoded("26", "01", prime, y), cose.ErrKey},
		"x short":                 {encoded("26", "01", "581f"+rfcX[2:], y), cose.ErrKey},
		"x long":                  {encoded("26", "01", "582100"+rfcX, y), cose.ErrKey},
		"y empty":                 {encoded("26", "01", x, "40"), cose.ErrKey},
		"compressed y":            {encoded("26", "01", x, "f5"), cbor.ErrType},
		"x as text":               {encoded("26", "01", "6161", y), cbor.ErrType},
		"algorithm as text":       {encoded("6161", "01", x, y), cbor.ErrType},
		"ES384 on P-256":          {encoded("3822", "01", x, y), cose.ErrKey},
		"ES256 on P-384":          {encoded("26", "02", x, y), cose.ErrKey},
		"ES256 on P-521":          {encoded("26", "03", x, y), cose.ErrKey},
		"EdDSA":                   {encoded("27", "06", x, y), cose.ErrKey},
		"RS256":                   {encoded("390100", "01", x, y), cose.ErrKey},
		"key type OKP":            {strings.Replace(valid, "a5 01 02", "a5 01 01", 1), cose.ErrKey},
		"no key type":             {strings.Replace(valid, "a5 01 02", "a4", 1), cose.ErrKey},
		"no algorithm":            {strings.Replace(valid, "a5 01 02 03 26", "a4 01 02", 1), cose.ErrKey},
		"no y":                    {"a4 01 02 03 26 20 01 21 " + x, cose.ErrKey},
		"key ID for y":            {"a5 01 02 02 4101 03 26 20 01 21 " + x, cose.ErrKey},
		"key ID too":              {strings.Replace(valid, "a5 01 02", "a6 01 02 02 4101", 1), cose.ErrKey},
		"private key too":         {strings.Replace(valid, "a5", "a6", 1) + " 23 " + zero, cose.ErrKey},
		"text parameter too":      {strings.Replace(valid, "a5", "a6", 1) + " 6161 01", cose.ErrKey},
		"x before crv":            {"a5 01 02 03 26 21 " + x + " 20 01 22 " + y, cbor.ErrMalformed},
		"negative keys first":     {"a5 20 01 21 " + x + " 22 " + y + " 01 02 03 26", cbor.ErrMalformed},
		"crv not shortest":        {encoded("26", "1801", x, y), cbor.ErrMalformed},
		"trailing byte":           {valid + " 00", cbor.ErrMalformed},
		"nothing":                 {"", cbor.ErrMalformed},
		"an array":                {"80", cbor.ErrType},
		"an empty map":            {"a0", cose.ErrKey},
		"agreement key on P-384":  {encoded("3818", "02", x, y), cose.ErrKey},
		"algorithm beyond int64":  {encoded("3bffffffffffffffff", "01", x, y), cbor.ErrType},
		"curve null":              {encoded("26", "f6", x, y), cbor.ErrType},
		"not a key but a number":  {"01", cbor.ErrType},
		"array instead of bytes":  {encoded("26", "01", "80", y), cbor.ErrType},
		"indefinite length bytes": {encoded("26", "01", "5f40ff", y), cbor.ErrMalformed},
	} {
		var key cose.Key
		err := key.UnmarshalCBOR(unhex(c.data))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if key.X != nil || key.Algorithm != 0 {
			t.Errorf("%s: left %+v behind", name, key)
		}
	}
}

func TestSigningKeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		curve elliptic.Curve
		alg   cose.Algorithm
		id    cose.Curve
		size  int
	}{
		"P-256": {elliptic.P256(), -7, 1, 32},
		"P-384": {elliptic.P384(), -35, 2, 48},
	} {
		private, err := ecdsa.GenerateKey(c.curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key, err := cose.FromECDSA(&private.PublicKey)
		if err != nil || key.Algorithm != c.alg || key.Curve != c.id || len(key.X) != c.size || len(key.Y) != c.size {
			t.Fatalf("%s: %+v, %v", name, key, err)
		}
		data, err := cbor.Marshal(key)
		if err != nil {
			t.Fatal(err)
		}
		var decoded cose.Key
		if err := cbor.Unmarshal(data, &decoded); err != nil {
			t.Fatal(err)
		}
		public, err := decoded.ECDSA()
		if err != nil || !public.Equal(&private.PublicKey) {
			t.Errorf("%s: came back as %+v, %v", name, public, err)
		}
		der, err := decoded.SPKI()
		if err != nil {
			t.Fatal(err)
		}
		if parsed, err := x509.ParsePKIXPublicKey(der); err != nil || !private.PublicKey.Equal(parsed) {
			t.Errorf("%s: x509 reads %v, %v", name, parsed, err)
		}
		digest := sha256.Sum256([]byte("message"))
		signature, err := ecdsa.SignASN1(rand.Reader, private, digest[:])
		if err != nil || !ecdsa.VerifyASN1(public, digest[:], signature) {
			t.Errorf("%s: does not verify, %v", name, err)
		}
		if _, err := decoded.ECDH(); !errors.Is(err, cose.ErrKey) {
			t.Errorf("%s: a signing key agrees on keys: %v", name, err)
		}
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := cose.FromECDSA(&p521.PublicKey); !errors.Is(err, cose.ErrKey) {
		t.Errorf("P-521: %+v, %v", key, err)
	}
}

func TestAgreementKeys(t *testing.T) {
	t.Parallel()
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := cose.FromECDH(private.PublicKey())
	if err != nil || key.Algorithm != -25 || key.Curve != cose.P256 {
		t.Fatalf("%+v, %v", key, err)
	}
	data, err := cbor.Marshal(key)
	if err != nil || !bytes.HasPrefix(data, unhex("a5 01 02 03 3818 20 01 21 5820")) {
		t.Errorf("encodes to %x, %v", data, err)
	}
	var decoded cose.Key
	if err := cbor.Unmarshal(data, &decoded); err != nil {
		t.Fatal(err)
	}
	if public, err := decoded.ECDH(); err != nil || !public.Equal(private.PublicKey()) {
		t.Errorf("came back as %v, %v", public, err)
	}
	if _, err := decoded.ECDSA(); !errors.Is(err, cose.ErrKey) {
		t.Errorf("a key agreement key verifies: %v", err)
	}
	if _, err := decoded.SPKI(); !errors.Is(err, cose.ErrKey) {
		t.Errorf("a key agreement key has an SPKI: %v", err)
	}
	other, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := cose.FromECDH(other.PublicKey()); !errors.Is(err, cose.ErrKey) {
		t.Errorf("X25519: %+v, %v", key, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	good := cose.Key{Algorithm: cose.ES256, Curve: cose.P256, X: unhex(rfcX), Y: unhex(rfcY)}
	for name, change := range map[string]func(*cose.Key){
		"zero value":    func(k *cose.Key) { *k = cose.Key{} },
		"off the curve": func(k *cose.Key) { k.Y = k.X },
		"short":         func(k *cose.Key) { k.X = k.X[1:] },
		"wrong curve":   func(k *cose.Key) { k.Curve = cose.P384 },
		"no algorithm":  func(k *cose.Key) { k.Algorithm = 0 },
	} {
		key := good
		change(&key)
		if data, err := cbor.Marshal(key); !errors.Is(err, cose.ErrKey) {
			t.Errorf("%s: %x, %v", name, data, err)
		}
	}
	if _, err := (cose.Key{}).SPKI(); !errors.Is(err, cose.ErrKey) {
		t.Errorf("the zero value has an SPKI: %v", err)
	}
}

// FuzzKey: what decodes is on its curve and encodes to the same bytes.
func FuzzKey(f *testing.F) {
	f.Add(rfcKey())
	f.Add(unhex(encoded("3818", "01", "5820"+rfcX, "5820"+rfcY)))
	f.Add(unhex(encoded("26", "01", "5820"+rfcX, "5820"+rfcX)))
	f.Add(unhex("a0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var key cose.Key
		if err := cbor.Unmarshal(data, &key); err != nil {
			if !errors.Is(err, cbor.ErrMalformed) && !errors.Is(err, cbor.ErrType) && !errors.Is(err, cose.ErrKey) {
				t.Fatalf("%x: %v", data, err)
			}
			return
		}
		if again, err := cbor.Marshal(key); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%x became %x, %v", data, again, err)
		}
		if !onCurve(key) {
			t.Fatalf("%x is not on its curve", data)
		}
	})
}

// onCurve computes y² = x³ − 3x + b with plain integers.
func onCurve(key cose.Key) bool {
	curve := elliptic.P256().Params()
	if key.Curve == cose.P384 {
		curve = elliptic.P384().Params()
	}
	x, y := new(big.Int).SetBytes(key.X), new(big.Int).SetBytes(key.Y)
	right := new(big.Int).Exp(x, big.NewInt(3), nil)
	right.Sub(right, new(big.Int).Mul(x, big.NewInt(3))).Add(right, curve.B)
	return right.Sub(right, y.Mul(y, y)).Mod(right, curve.P).Sign() == 0
}
