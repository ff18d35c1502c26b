package webauthn_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// text is hex in the file.
type text []byte

func (b *text) UnmarshalText(digits []byte) (err error) {
	*b, err = hex.DecodeString(string(digits))
	return err
}

// vectorFile is WebAuthn Level 3 §16, without the algorithms that are not ours.
type vectorFile struct {
	Seed    string   `json:"input_key_material"`
	RPID    string   `json:"rp_id"`
	Origin  string   `json:"origin"`
	CA      text     `json:"attestation_ca_cert"`
	Vectors []vector `json:"vectors"`
}

type vector struct {
	Name         string
	Info         string
	Registration struct {
		Challenge    text
		CredentialID text `json:"credential_id"`
		ClientData   text `json:"client_data_json"`
		Object       text `json:"attestation_object"`
	}
	Authentication struct {
		Challenge  text
		ClientData text `json:"client_data_json"`
		AuthData   text `json:"authenticator_data"`
		Signature  text
	}
}

func loadVectors(t testing.TB) *vectorFile {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	file := new(vectorFile)
	if err := json.Unmarshal(data, file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) != 12 {
		t.Fatalf("%d vectors, want 12", len(file.Vectors))
	}
	return file
}

// ours leaves out the one whose key type we do not have.
func (f *vectorFile) ours() []vector {
	var out []vector
	for _, v := range f.Vectors {
		if v.Info != "packed.EdDSA" {
			out = append(out, v)
		}
	}
	return out
}

// derive is how §16 makes its random values: HKDF-SHA-256, the salt counting up.
func (f *vectorFile) derive(t *testing.T, v vector, salt byte, length int) []byte {
	t.Helper()
	out, err := hkdf.Key(sha256.New, []byte(f.Seed), []byte{salt}, v.Info, length)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func registered(t *testing.T, v vector) (webauthn.AttestationObject, webauthn.AuthenticatorData) {
	t.Helper()
	object, err := webauthn.ParseAttestationObject(v.Registration.Object)
	if err != nil {
		t.Fatalf("%s: %v", v.Name, err)
	}
	data, err := webauthn.ParseAuthenticatorData(object.AuthData)
	if err != nil {
		t.Fatalf("%s: %v", v.Name, err)
	}
	return object, data
}

func hash(a cose.Algorithm) crypto.Hash {
	if a == cose.ES384 {
		return crypto.SHA384
	}
	return crypto.SHA256
}

func sum(h crypto.Hash, parts ...[]byte) []byte {
	message := bytes.Join(parts, nil)
	if h == crypto.SHA384 {
		digest := sha512.Sum384(message)
		return digest[:]
	}
	digest := sha256.Sum256(message)
	return digest[:]
}

// The file agrees with the recipe that §16 gives for its values, so a slip of the
// pen in it cannot hide.
func TestVectorsAreThePublishedOnes(t *testing.T) {
	t.Parallel()
	file := loadVectors(t)
	for _, v := range file.Vectors {
		if !bytes.Equal(v.Registration.Challenge, file.derive(t, v, 0, 32)) {
			t.Errorf("%s: the challenge is not derived", v.Name)
		}
		length := len(v.Registration.CredentialID)
		found := false
		for salt := range byte(16) {
			found = found || bytes.Equal(v.Registration.CredentialID, file.derive(t, v, salt, length))
		}
		if !found {
			t.Errorf("%s: the credential ID is not derived", v.Name)
		}
	}
}

func TestVectorsRoundTrip(t *testing.T) {
	t.Parallel()
	file := loadVectors(t)
	for _, v := range file.ours() {
		object, data := registered(t, v)
		if again, err := object.Marshal(); err != nil || !bytes.Equal(again, v.Registration.Object) {
			t.Errorf("%s: the attestation object becomes %x, %v", v.Name, again, err)
		}
		if again, err := data.Marshal(); err != nil || !bytes.Equal(again, object.AuthData) {
			t.Errorf("%s: the authenticator data becomes %x, %v", v.Name, again, err)
		}
		if want, _, _ := strings.Cut(v.Info, "."); object.Format != strings.TrimSuffix(want, "-self") {
			t.Errorf("%s: format %q", v.Name, object.Format)
		}
		if data.RPIDHash != webauthn.RPIDHash(file.RPID) || data.SignCount != 0 || data.Flags&webauthn.FlagUP == 0 {
			t.Errorf("%s: %+v", v.Name, data)
		}
		if !bytes.Equal(data.Attested.CredentialID, v.Registration.CredentialID) {
			t.Errorf("%s: credential ID %x", v.Name, data.Attested.CredentialID)
		}
		assertion, err := webauthn.ParseAuthenticatorData(v.Authentication.AuthData)
		if err != nil || assertion.Attested != nil || assertion.Flags&webauthn.FlagBE != data.Flags&webauthn.FlagBE {
			t.Errorf("%s: assertion %+v, %v", v.Name, assertion, err)
		}
		if again, err := assertion.Marshal(); err != nil || !bytes.Equal(again, v.Authentication.AuthData) {
			t.Errorf("%s: the assertion becomes %x, %v", v.Name, again, err)
		}
	}
}

func TestVectorAAGUIDs(t *testing.T) {
	t.Parallel()
	file := loadVectors(t)
	for _, v := range file.ours() {
		_, data := registered(t, v)
		found := false
		for salt := range byte(16) {
			found = found || bytes.Equal(data.Attested.AAGUID[:], file.derive(t, v, salt, 16))
		}
		if !found {
			t.Errorf("%s: AAGUID %v is not derived", v.Name, data.Attested.AAGUID)
		}
	}
}

// The published signatures verify, and the published private keys make the same
// ones again (RFC 6979).
func TestVectorSignatures(t *testing.T) {
	t.Parallel()
	file := loadVectors(t)
	for _, v := range file.ours() {
		_, data := registered(t, v)
		key := data.Attested.PublicKey
		public, err := key.ECDSA()
		if err != nil {
			t.Fatal(err)
		}
		clientDataHash := sha256.Sum256(v.Authentication.ClientData)
		digest := sum(hash(key.Algorithm), v.Authentication.AuthData, clientDataHash[:])
		if !ecdsa.VerifyASN1(public, digest, v.Authentication.Signature) {
			t.Errorf("%s: the assertion does not verify", v.Name)
		}
		curve, length := elliptic.P256(), 32
		if key.Algorithm == cose.ES384 {
			curve, length = elliptic.P384(), 48
		}
		private, err := ecdsa.ParseRawPrivateKey(curve, file.derive(t, v, 1, length))
		if err != nil {
			t.Fatal(err)
		}
		fromPrivate, err := cose.FromECDSA(&private.PublicKey)
		if err != nil || !bytes.Equal(fromPrivate.X, key.X) || !bytes.Equal(fromPrivate.Y, key.Y) || fromPrivate.Algorithm != key.Algorithm {
			t.Errorf("%s: another key: %+v, %v", v.Name, fromPrivate, err)
		}
		if again, err := private.Sign(nil, digest, hash(key.Algorithm)); err != nil || !bytes.Equal(again, v.Authentication.Signature) {
			t.Errorf("%s: signs %x, %v", v.Name, again, err)
		}
	}
}

// From a private key and the ceremony's inputs to the published registration, byte
// for byte: what an authenticator of ours with that key would have answered.
func TestBuildSelfAttestation(t *testing.T) {
	t.Parallel()
	file := loadVectors(t)
	v := file.Vectors[1]
	if v.Info != "packed-self.ES256" {
		t.Fatalf("the second vector is %s", v.Name)
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), file.derive(t, v, 1, 32))
	if err != nil {
		t.Fatal(err)
	}
	key, err := cose.FromECDSA(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	authData, err := webauthn.AuthenticatorData{
		RPIDHash: webauthn.RPIDHash(file.RPID),
		// auth_data_UV_BE_BS is h'fd'.
		Flags: webauthn.FlagUP | webauthn.FlagUV | webauthn.FlagBE | webauthn.FlagBS,
		Attested: &webauthn.AttestedCredential{
			AAGUID: webauthn.AAGUID(file.derive(t, v, 4, 16)), CredentialID: file.derive(t, v, 5, 32), PublicKey: key,
		},
	}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	clientDataHash := sha256.Sum256(v.Registration.ClientData)
	signature, err := private.Sign(nil, sum(crypto.SHA256, authData, clientDataHash[:]), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	statement, err := cbor.Marshal(webauthn.PackedStatement{Algorithm: cose.ES256, Signature: signature})
	if err != nil {
		t.Fatal(err)
	}
	object, err := webauthn.AttestationObject{Format: webauthn.FormatPacked, Statement: statement, AuthData: authData}.Marshal()
	if err != nil || !bytes.Equal(object, v.Registration.Object) {
		t.Errorf("got %x, %v", object, err)
	}
}

func TestVectorSelfAttestation(t *testing.T) {
	t.Parallel()
	file := loadVectors(t)
	for _, v := range file.ours() {
		object, _ := registered(t, v)
		clientDataHash := sha256.Sum256(v.Registration.ClientData)
		err := webauthn.VerifyPackedSelf(object, clientDataHash[:])
		if v.Info == "packed-self.ES256" {
			if err != nil {
				t.Errorf("%s: %v", v.Name, err)
			}
			other := sha256.Sum256(v.Authentication.ClientData)
			if err := webauthn.VerifyPackedSelf(object, other[:]); !errors.Is(err, webauthn.ErrSignature) {
				t.Errorf("%s over other client data: %v", v.Name, err)
			}
			continue
		}
		if !errors.Is(err, webauthn.ErrSignature) {
			t.Errorf("%s passes for a self attestation: %v", v.Name, err)
		}
	}
}

// Attestations by certificate: the chain ends in §16.1's root, and the leaf signed
// what its format says it signs.
func TestVectorCertificates(t *testing.T) {
	t.Parallel()
	file := loadVectors(t)
	root, err := x509.ParseCertificate(file.CA)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range file.ours() {
		object, data := registered(t, v)
		var statement struct {
			Algorithm cose.Algorithm `cbor:"alg"`
			Signature []byte         `cbor:"sig"`
			X5C       [][]byte       `cbor:"x5c"`
			CertInfo  []byte         `cbor:"certInfo"`
		}
		if err := cbor.Unmarshal(object.Statement, &statement); err != nil {
			t.Fatal(err)
		}
		if len(statement.X5C) == 0 {
			continue
		}
		leaf, err := x509.ParseCertificate(statement.X5C[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := leaf.CheckSignatureFrom(root); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
		clientDataHash := sha256.Sum256(v.Registration.ClientData)
		attested := append(bytes.Clone(object.AuthData), clientDataHash[:]...)
		digest := sum(crypto.SHA256, attested)
		signed := attested
		switch object.Format {
		case "tpm":
			signed = statement.CertInfo
			if !bytes.Contains(signed, digest) {
				t.Errorf("%s: certInfo is about something else", v.Name)
			}
		case "fido-u2f":
			key := data.Attested.PublicKey
			signed = bytes.Join([][]byte{{0}, data.RPIDHash[:], clientDataHash[:], data.Attested.CredentialID, {4}, key.X, key.Y}, nil)
		case "apple":
			// A nonce in the certificate stands for the signature.
			if !bytes.Contains(leaf.Raw, digest) {
				t.Errorf("%s: the certificate has another nonce", v.Name)
			}
			continue
		}
		if err := leaf.CheckSignature(x509.ECDSAWithSHA256, signed, statement.Signature); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
}

func TestVectorPackedStatements(t *testing.T) {
	t.Parallel()
	for _, v := range loadVectors(t).ours() {
		object, _ := registered(t, v)
		if object.Format != webauthn.FormatPacked {
			continue
		}
		statement, err := webauthn.ParsePackedStatement(object.Statement)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := cbor.Marshal(statement); err != nil || !bytes.Equal(again, object.Statement) {
			t.Errorf("%s: becomes %x, %v", v.Name, again, err)
		}
		if (statement.X5C == nil) != (v.Info == "packed-self.ES256") {
			t.Errorf("%s: %d certificates", v.Name, len(statement.X5C))
		}
	}
}

func TestVectorWithForeignKey(t *testing.T) {
	t.Parallel()
	for _, v := range loadVectors(t).Vectors {
		if v.Info != "packed.EdDSA" {
			continue
		}
		object, err := webauthn.ParseAttestationObject(v.Registration.Object)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := webauthn.ParseAuthenticatorData(object.AuthData); !errors.Is(err, cose.ErrKey) {
			t.Errorf("an Ed25519 key: %v", err)
		}
	}
}

// Relying parties may verify client data by its beginning alone (§5.8.1.2), so the
// serialization must be the published one to the byte.
func TestVectorClientData(t *testing.T) {
	t.Parallel()
	file := loadVectors(t)
	exact := 0
	for _, v := range file.Vectors {
		for kind, c := range map[string]struct{ challenge, data []byte }{
			webauthn.TypeCreate: {v.Registration.Challenge, v.Registration.ClientData},
			webauthn.TypeGet:    {v.Authentication.Challenge, v.Authentication.ClientData},
		} {
			want := webauthn.ClientData{Type: kind, Challenge: webauthn.ChallengeText(c.challenge), Origin: file.Origin}
			want.CrossOrigin = v.Info == "none.ES256.crossOrigin" || v.Info == "none.ES256.topOrigin"
			if v.Info == "none.ES256.topOrigin" {
				want.TopOrigin = "https://example.com"
			}
			got, err := webauthn.ParseClientData(c.data)
			if err != nil || got != want {
				t.Errorf("%s: %+v, %v", v.Name, got, err)
			}
			serialized := want.JSON()
			if bytes.Equal(serialized, c.data) {
				exact++
				continue
			}
			// The rest of the vectors have a member that is not of this edition.
			if !bytes.HasPrefix(c.data, append(bytes.TrimSuffix(serialized, []byte("}")), `,"extraData":`...)) {
				t.Errorf("%s: %s, want %s", v.Name, serialized, c.data)
			}
		}
	}
	if exact == 0 {
		t.Error("no vector is the plain serialization")
	}
}
