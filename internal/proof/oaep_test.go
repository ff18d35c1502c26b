package proof_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/proof"
)

// TestOAEP: some makers' certificates call the RSA key one for OAEP, which crypto/x509
// neither reads nor writes.
func TestOAEP(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	key := m.key(authenticator.PINBound)
	root := newAuthority(t, nil)
	genuine := must1[*x509.Certificate](t)(x509.ParseCertificate(m.claim(key).Certificate))
	m.undefine(certificateRSA)
	m.store(certificateRSA, root.relabelled(t, genuine, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 7}))
	tr := trust(t, now(), root.pem())
	r := m.round(key, tr)
	has(t, must1[*proof.Result](t)(tr.Verify(r.note, r.answer)), key, 8)

	claim := clone(r.claim)
	claim.Certificate = root.relabelled(t, genuine, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}) // PSS: it signs
	if _, _, err := tr.NewChallenge(claim); !errors.Is(err, proof.ErrUntrusted) {
		t.Errorf("a key that signs: %v", err)
	}
}

// relabelled is what another CA has certified, by this one, with its key's algorithm
// called differently.
func (a *authority) relabelled(t *testing.T, of *x509.Certificate, algorithm asn1.ObjectIdentifier) []byte {
	t.Helper()
	var body struct {
		Version   int `asn1:"explicit,tag:0"`
		Serial    *big.Int
		Algorithm pkix.AlgorithmIdentifier
		Issuer    asn1.RawValue
		Validity  asn1.RawValue
		Subject   asn1.RawValue
		Key       struct {
			Algorithm pkix.AlgorithmIdentifier
			Key       asn1.BitString
		}
		Extensions []pkix.Extension `asn1:"explicit,tag:3"`
	}
	rest, err := asn1.Unmarshal(of.RawTBSCertificate, &body)
	if err != nil || len(rest) != 0 {
		t.Fatal(err, rest)
	}
	body.Key.Algorithm = pkix.AlgorithmIdentifier{Algorithm: algorithm, Parameters: asn1.RawValue{FullBytes: []byte{0x30, 0}}}
	body.Algorithm = pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}} // ecdsa-with-SHA256
	body.Issuer = asn1.RawValue{FullBytes: a.cert.RawSubject}
	raw := must1[[]byte](t)(asn1.Marshal(body))
	digest := sha256.Sum256(raw)
	signature := must1[[]byte](t)(ecdsa.SignASN1(rand.Reader, a.key, digest[:]))
	return must1[[]byte](t)(asn1.Marshal(struct {
		Body      asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: raw}, body.Algorithm, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}}))
}
