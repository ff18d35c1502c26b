package proof_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/proof"
	"github.com/localpasskey/localpasskey/internal/swtpm"
	"github.com/localpasskey/localpasskey/internal/swtpm/manufacturer"
	"github.com/localpasskey/localpasskey/internal/tpm"
	"github.com/localpasskey/localpasskey/internal/tpm/attest"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

const site = "example.com"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must1[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// memory is a ledger.
type memory struct{ record []byte }

func (m *memory) Load() ([]byte, error) { return m.record, nil }
func (m *memory) Save(b []byte) error   { m.record = bytes.Clone(b); return nil }
func credentialID() []byte              { return bytes.Repeat([]byte{7}, 32) }
func now() time.Time                    { return time.Now() }
func rpIDHash() [32]byte                { return webauthn.RPIDHash(site) }
func background() context.Context       { return context.Background() }
func clone[T any](v *T) *T              { c := *v; return &c }
func flipped(b []byte, at int) []byte   { c := bytes.Clone(b); c[at] ^= 1; return c }
func spec(b authenticator.Binding) authenticator.KeySpec {
	return authenticator.KeySpec{Kind: authenticator.SigningKey, Binding: b, RPIDHash: rpIDHash()}
}

// machine is a machine with a TPM that its maker vouches for.
type machine struct {
	testing.TB
	open    tpm.Opener
	ca      *manufacturer.CA // nil where a test plays the maker
	machine *tpm.Machine
}

func newMachine(t testing.TB) *machine {
	t.Helper()
	dir := t.TempDir()
	ca := must1[*manufacturer.CA](t)(manufacturer.Make(t.Context(), dir, t.TempDir()))
	chip := must1[*swtpm.TPM](t)(swtpm.Start(t.Context(), dir))
	t.Cleanup(func() { must(t, chip.Close()) })
	return setUp(t, chip.Opener(), ca)
}

func setUp(t testing.TB, open tpm.Opener, ca *manufacturer.CA) *machine {
	t.Helper()
	return &machine{t, open, ca, must1[*tpm.Machine](t)(tpm.SetUp(t.Context(), open, &memory{}))}
}

// trusts is a verifier who trusts the maker's root, and knows its issuer.
func (m *machine) trusts() proof.Trust { return trust(m, now(), m.ca.Root, m.ca.Issuer) }

func trust(t testing.TB, at time.Time, pems ...[]byte) proof.Trust {
	t.Helper()
	all := proof.NewTrust(at)
	for _, pem := range pems {
		must(t, all.Add(pem))
	}
	return all
}

func (m *machine) key(b authenticator.Binding) *authenticator.Key {
	m.Helper()
	return must1[*authenticator.Key](m)(m.machine.Create(m.Context(), spec(b)))
}

func (m *machine) prover(key *authenticator.Key) *attest.Prover {
	m.Helper()
	return must1[*attest.Prover](m)(m.machine.Prover(key))
}

func (m *machine) claim(key *authenticator.Key) *proof.Claim {
	m.Helper()
	return proof.NewClaim(site, credentialID(), must1[*attest.Identity](m)(m.prover(key).Identity(m.Context())))
}

func (m *machine) answer(key *authenticator.Key, c *proof.Challenge) *proof.Answer {
	m.Helper()
	return proof.NewAnswer(must1[*attest.Answer](m)(m.prover(key).Answer(m.Context(), c.ForTPM())))
}

// round is a whole proof of one key.
type round struct {
	claim     *proof.Claim
	challenge *proof.Challenge
	note      *proof.Note
	answer    *proof.Answer
}

func (m *machine) round(key *authenticator.Key, t proof.Trust) *round {
	m.Helper()
	r := &round{claim: m.claim(key)}
	var err error
	r.challenge, r.note, err = t.NewChallenge(r.claim)
	must(m, err)
	r.answer = m.answer(key, r.challenge)
	return r
}

// through sends a document through its file.
func through[T any, D interface{ *T }](t testing.TB, doc D, decode func(io.Reader) (*T, error)) D {
	t.Helper()
	return must1[*T](t)(decode(bytes.NewReader(must1[[]byte](t)(proof.Encode(any(doc).(proof.Document))))))
}

// loaded lists what is in the chip itself: objects, and sessions, saved or not.
func (m *machine) loaded() []tpm2.TPMHandle {
	m.Helper()
	return loaded(m, m.dial())
}

func loaded(t testing.TB, conn transport.TPM) (all []tpm2.TPMHandle) {
	t.Helper()
	for _, from := range []tpm2.TPMHandle{0x80000000, 0x02000000, 0x03000000} {
		rsp := must1[*tpm2.GetCapabilityResponse](t)(tpm2.GetCapability{
			Capability: tpm2.TPMCapHandles, Property: uint32(from), PropertyCount: 64,
		}.Execute(conn))
		all = append(all, must1[*tpm2.TPMLHandle](t)(rsp.CapabilityData.Data.Handles()).Handle...)
	}
	return all
}

func (m *machine) dial() transport.TPMCloser {
	m.Helper()
	conn := must1[transport.TPMCloser](m)(m.open(background()))
	m.Cleanup(func() { must(m, conn.Close()) })
	return conn
}

// password sets a hierarchy's.
func (m *machine) password(hierarchy tpm2.TPMHandle, word string) {
	m.Helper()
	_, err := tpm2.HierarchyChangeAuth{
		AuthHandle: tpm2.AuthHandle{Handle: hierarchy, Auth: tpm2.PasswordAuth(nil)},
		NewAuth:    tpm2.TPM2BAuth{Buffer: []byte(word)},
	}.Execute(m.dial())
	must(m, err)
}

// From the specification: TCG EK Credential Profile for TPM 2.0 §2.2.1.
const (
	certificateRSA  tpm2.TPMHandle = 0x01C00002
	certificateP256 tpm2.TPMHandle = 0x01C0000A
	firstChain      tpm2.TPMHandle = 0x01C00100
)

func (m *machine) undefine(index tpm2.TPMHandle) {
	m.Helper()
	conn := m.dial()
	public := must1[*tpm2.NVReadPublicResponse](m)(tpm2.NVReadPublic{NVIndex: index}.Execute(conn))
	_, err := tpm2.NVUndefineSpace{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHPlatform, Auth: tpm2.PasswordAuth(nil)},
		NVIndex:    tpm2.NamedHandle{Handle: index, Name: public.NVName},
	}.Execute(conn)
	must(m, err)
}

// store puts content where makers put certificates.
func (m *machine) store(index tpm2.TPMHandle, content []byte) {
	m.Helper()
	conn := m.dial()
	public := tpm2.TPMSNVPublic{
		NVIndex: index, NameAlg: tpm2.TPMAlgSHA256, DataSize: uint16(len(content)),
		Attributes: tpm2.TPMANV{OwnerWrite: true, OwnerRead: true, AuthRead: true, NoDA: true},
	}
	owner := tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}
	_, err := tpm2.NVDefineSpace{AuthHandle: owner, PublicInfo: tpm2.New2B(public)}.Execute(conn)
	must(m, err)
	const part = 512
	for at := 0; at < len(content); at += part {
		name := must1[*tpm2.NVReadPublicResponse](m)(tpm2.NVReadPublic{NVIndex: index}.Execute(conn)).NVName
		_, err = tpm2.NVWrite{
			AuthHandle: owner, NVIndex: tpm2.NamedHandle{Handle: index, Name: name},
			Data: tpm2.TPM2BMaxNVBuffer{Buffer: content[at:min(at+part, len(content))]}, Offset: uint16(at),
		}.Execute(conn)
		must(m, err)
	}
}

// endorsementKeys are the TPM's own, P-256 and RSA-2048, by the TCG's templates.
func (m *machine) endorsementKeys() (*ecdsa.PublicKey, *rsa.PublicKey) { //nolint:unparam,nolintlint // Both are wanted where there is a kernel to try it on.
	m.Helper()
	made := func(template tpm2.TPMTPublic) *tpm2.TPMTPublic {
		conn := must1[transport.TPMCloser](m)(m.open(background()))
		rsp, err := tpm2.CreatePrimary{
			PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHEndorsement, Auth: tpm2.PasswordAuth(nil)},
			InPublic:      tpm2.New2B(template),
		}.Execute(conn)
		must(m, errors.Join(err, conn.Close()))
		return must1[*tpm2.TPMTPublic](m)(rsp.OutPublic.Contents())
	}
	point := must1[*tpm2.TPMSECCPoint](m)(made(tpm2.ECCEKTemplate).Unique.ECC())
	raw := append([]byte{4}, append(bytes.Clone(point.X.Buffer), point.Y.Buffer...)...)
	modulus := must1[*tpm2.TPM2BPublicKeyRSA](m)(made(tpm2.RSAEKTemplate).Unique.RSA())
	return must1[*ecdsa.PublicKey](m)(ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw)),
		&rsa.PublicKey{N: new(big.Int).SetBytes(modulus.Buffer), E: 65537}
}

// givenUp is a prover whose TPM goes away after so many commands.
func (m *machine) givenUp(key *authenticator.Key, commands int) *attest.Prover {
	m.Helper()
	p := m.prover(key)
	converse := p.Converse
	p.Converse = func(ctx context.Context, f func(t transport.TPM) error) error {
		return converse(ctx, func(t transport.TPM) error { return f(&limited{t, commands}) })
	}
	return p
}

type limited struct {
	transport.TPM

	left int
}

var errGone = errors.New("the TPM is gone")

func (l *limited) Send(cmd []byte) ([]byte, error) {
	if l.left == 0 {
		return nil, errGone
	}
	l.left--
	return l.TPM.Send(cmd)
}

// authority is a CA of a test's own, on P-256.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	der  []byte
}

// newAuthority makes one that by has signed; nil for a root.
func newAuthority(t testing.TB, by *authority) *authority {
	t.Helper()
	a := &authority{key: must1[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a root"},
		NotBefore: now().Add(-time.Hour), NotAfter: now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if by == nil {
		by = &authority{key: a.key, cert: template}
	} else {
		template.Subject.CommonName = "an issuer"
	}
	a.der = must1[[]byte](t)(x509.CreateCertificate(rand.Reader, template, by.cert, a.key.Public(), by.key))
	a.cert = must1[*x509.Certificate](t)(x509.ParseCertificate(a.der))
	return a
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.der})
}

func endorsementUsage() []asn1.ObjectIdentifier {
	return []asn1.ObjectIdentifier{{2, 23, 133, 8, 1}}
}

// endorse certifies key for the usages, with a name that only TPM makers use: critical,
// and of a kind that crypto/x509 does not know.
func (a *authority) endorse(t testing.TB, key any, usages []asn1.ObjectIdentifier) []byte {
	t.Helper()
	model := must1[[]byte](t)(asn1.Marshal(pkix.RDNSequence{{{Type: asn1.ObjectIdentifier{2, 23, 133, 2, 2}, Value: "test"}}}))
	name := must1[[]byte](t)(asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: model}}))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: now().Add(-time.Hour), NotAfter: now().Add(time.Hour),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageKeyAgreement, UnknownExtKeyUsage: usages,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true, Value: name}},
	}
	return must1[[]byte](t)(x509.CreateCertificate(rand.Reader, template, a.cert, key, a.key))
}
