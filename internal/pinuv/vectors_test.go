package pinuv

import (
	"bytes"
	"crypto/aes"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// text is hex in the files.
type text []byte

func (b *text) UnmarshalText(digits []byte) (err error) {
	*b, err = hex.DecodeString(string(digits))
	return err
}

func load(t *testing.T, name string, v any) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

func privateKey(t *testing.T, b []byte) *ecdh.PrivateKey {
	t.Helper()
	private, err := ecdh.P256().NewPrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return private
}

func agreementKey(x, y []byte) cose.Key {
	return cose.Key{Algorithm: cose.ECDHESHKDF256, Curve: cose.P256, X: x, Y: y}
}

// sharedBytes is the shared secret as the specification has it.
func sharedBytes(s *Shared) []byte {
	if s.protocol == One {
		return s.aesKey.Reveal()
	}
	return append(bytes.Clone(s.hmacKey.Reveal()), s.aesKey.Reveal()...)
}

type prfCase struct {
	Name         string
	Protocol     Protocol
	Inputs       int
	SharedSecret text `json:"shared_secret"`
	SaltEnc      text `json:"salt_enc"`
	OutputEnc    text `json:"output_enc"`
	SaltIV       byte `json:"salt_iv_index"`
	OutputIV     byte `json:"output_iv_index"`
}

type prfVectors struct {
	Seed       string
	Platform   text      `json:"platform_key_agreement_private_key"`
	X          text      `json:"authenticator_key_agreement_public_key_x"`
	Y          text      `json:"authenticator_key_agreement_public_key_y"`
	CredRandom text      `json:"authenticator_cred_random"`
	First      text      `json:"prf_eval_first"`
	Second     text      `json:"prf_eval_second"`
	Salt1      text      `json:"salt1"`
	Salt2      text      `json:"salt2"`
	Output1    text      `json:"output1"`
	Output2    text      `json:"output2"`
	Cases      []prfCase `json:"cases"`
}

// derived is how the specification says its values were made.
func (v *prfVectors) derived(index byte) []byte {
	sum := sha256.Sum256(append([]byte(v.Seed), index))
	return sum[:]
}

// The published values agree with the recipe published beside them, so a slip of
// the pen in the file cannot hide.
func TestPRFVectorsAreThePublishedOnes(t *testing.T) {
	t.Parallel()
	var v prfVectors
	load(t, "webauthn-prf.json", &v)
	salt := func(input []byte) []byte {
		sum := sha256.Sum256(append([]byte("WebAuthn PRF\x00"), input...))
		return sum[:]
	}
	output := func(salt []byte) []byte {
		h := hmac.New(sha256.New, v.CredRandom)
		h.Write(salt)
		return h.Sum(nil)
	}
	public := privateKey(t, v.derived(5)).PublicKey().Bytes()
	for name, c := range map[string]struct{ got, want []byte }{
		"first input":        {v.First, append([]byte(v.Seed), 2)},
		"second input":       {v.Second, append([]byte(v.Seed), 3)},
		"platform key":       {v.Platform, v.derived(4)},
		"authenticator's x":  {v.X, public[1:33]},
		"authenticator's y":  {v.Y, public[33:]},
		"credential's key":   {v.CredRandom, v.derived(6)},
		"salt one":           {v.Salt1, salt(v.First)},
		"salt two":           {v.Salt2, salt(v.Second)},
		"output one":         {v.Output1, output(v.Salt1)},
		"output two":         {v.Output2, output(v.Salt2)},
		"IV, salts of one":   {v.Cases[0].SaltEnc[:16], v.derived(v.Cases[0].SaltIV)[:16]},
		"IV, output of one":  {v.Cases[0].OutputEnc[:16], v.derived(v.Cases[0].OutputIV)[:16]},
		"IV, salts of two":   {v.Cases[1].SaltEnc[:16], v.derived(v.Cases[1].SaltIV)[:16]},
		"IV, outputs of two": {v.Cases[1].OutputEnc[:16], v.derived(v.Cases[1].OutputIV)[:16]},
	} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("%s: %x, want %x", name, c.got, c.want)
		}
	}
	if len(v.Cases) != 3 {
		t.Errorf("%d cases, want 3", len(v.Cases))
	}
}

// Both ends, from their private keys to the results a website sees.
func TestPRFVectors(t *testing.T) {
	t.Parallel()
	var v prfVectors
	load(t, "webauthn-prf.json", &v)
	for _, c := range v.Cases {
		platformKey := privateKey(t, v.Platform)
		atPlatform, err := agree(c.Protocol, platformKey, agreementKey(v.X, v.Y))
		if err != nil {
			t.Fatal(err)
		}
		platformPublic, err := cose.FromECDH(platformKey.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		authenticator := &KeyAgreement{private: privateKey(t, v.derived(5))}
		atAuthenticator, err := authenticator.Decapsulate(c.Protocol, platformPublic)
		if err != nil {
			t.Fatal(err)
		}
		salts := append(bytes.Clone(v.Salt1), v.Salt2...)[:c.Inputs*32]
		outputs := append(bytes.Clone(v.Output1), v.Output2...)[:c.Inputs*32]
		for end, shared := range map[string]*Shared{"platform": atPlatform, "authenticator": atAuthenticator} {
			if got := sharedBytes(shared); !bytes.Equal(got, c.SharedSecret) {
				t.Errorf("%s, %s: shared secret %x", c.Name, end, got)
			}
			for what, pair := range map[string]struct{ cipher, plain []byte }{
				"salts": {c.SaltEnc, salts}, "outputs": {c.OutputEnc, outputs},
			} {
				plain, err := shared.Decrypt(pair.cipher)
				if err != nil || !bytes.Equal(plain.Reveal(), pair.plain) {
					t.Errorf("%s, %s: %s decrypt to %x, %v", c.Name, end, what, plain.Reveal(), err)
				}
				var iv [aes.BlockSize]byte
				copy(iv[:], pair.cipher[:len(pair.cipher)-len(pair.plain)])
				if got, err := shared.seal(iv, pair.plain); err != nil || !bytes.Equal(got, pair.cipher) {
					t.Errorf("%s, %s: %s encrypt to %x, %v", c.Name, end, what, got, err)
				}
			}
		}
	}
}

type pinVectors struct {
	Private   text `json:"platform_private_key"`
	X         text `json:"platform_public_key_x"`
	Y         text `json:"platform_public_key_y"`
	DeviceX   text `json:"authenticator_public_key_x"`
	DeviceY   text `json:"authenticator_public_key_y"`
	Shared    text `json:"shared_secret"`
	Token     text
	TokenEnc  text `json:"token_enc"`
	PIN       string
	HashEnc   text      `json:"pin_hash_enc"`
	SetPIN    pinChange `json:"set_pin"`
	ChangePIN pinChange `json:"change_pin"`
}

type pinChange struct {
	NewPIN string `json:"new_pin"`
	NewEnc text   `json:"new_pin_enc"`
	Param  text   `json:"pin_uv_auth_param"`
}

func padded(pin string) []byte { return append([]byte(pin), make([]byte, 64-len(pin))...) }

func TestProtocolOneVectors(t *testing.T) {
	t.Parallel()
	var v pinVectors
	load(t, "python-fido2.json", &v)
	private := privateKey(t, v.Private)
	public, err := cose.FromECDH(private.PublicKey())
	if err != nil || !bytes.Equal(public.X, v.X) || !bytes.Equal(public.Y, v.Y) {
		t.Errorf("public key %x %x, %v", public.X, public.Y, err)
	}
	shared, err := agree(One, private, agreementKey(v.DeviceX, v.DeviceY))
	if err != nil {
		t.Fatal(err)
	}
	if got := sharedBytes(shared); !bytes.Equal(got, v.Shared) {
		t.Errorf("shared secret %x", got)
	}
	hash := sha256.Sum256([]byte(v.PIN))
	for what, c := range map[string]struct{ plain, cipher []byte }{
		"token": {v.Token, v.TokenEnc}, "PIN hash": {hash[:16], v.HashEnc},
		"first PIN": {padded(v.PIN), v.SetPIN.NewEnc}, "new PIN": {padded(v.ChangePIN.NewPIN), v.ChangePIN.NewEnc},
	} {
		if got, err := shared.Encrypt(c.plain); err != nil || !bytes.Equal(got, c.cipher) {
			t.Errorf("%s encrypts to %x, %v", what, got, err)
		}
		if got, err := shared.Decrypt(c.cipher); err != nil || !bytes.Equal(got.Reveal(), c.plain) {
			t.Errorf("%s decrypts to %x, %v", what, got.Reveal(), err)
		}
	}
	for what, c := range map[string]struct{ message, param []byte }{
		"setPIN":    {v.SetPIN.NewEnc, v.SetPIN.Param},
		"changePIN": {append(bytes.Clone(v.ChangePIN.NewEnc), v.HashEnc...), v.ChangePIN.Param},
	} {
		if got := shared.Authenticate(c.message); !bytes.Equal(got, c.param) || !shared.Verify(c.message, c.param) {
			t.Errorf("%s: MAC %x", what, got)
		}
	}
}

// RFC 4231, test case 2, cut as each protocol cuts it.
func TestTokenMACs(t *testing.T) {
	t.Parallel()
	want, err := hex.DecodeString("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("what do ya want for nothing?")
	for p, length := range map[Protocol]int{One: 16, Two: 32} {
		token := NewToken(p, secret.Of([]byte("Jefe")))
		if got := token.Authenticate(message); !bytes.Equal(got, want[:length]) {
			t.Errorf("protocol %d: %x", p, got)
		}
	}
}
