package proof_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/proof"
	"github.com/localpasskey/localpasskey/internal/tpm/storage"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

func has(t *testing.T, r *proof.Result, key *authenticator.Key, attempts int) {
	t.Helper()
	if r.RelyingParty != site || !bytes.Equal(r.Key.X, key.Public.X) || !bytes.Equal(r.Key.Y, key.Public.Y) || r.Attempts != attempts {
		t.Errorf("shown: %+v; want %s, %d attempts and the key %+v", r, site, attempts, key.Public)
	}
}

// TestProof is the whole way, through files, with a certificate that swtpm_setup has put
// into the TPM.
func TestProof(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	key := m.key(authenticator.PINBound)
	claim := through(t, m.claim(key), proof.Decode[proof.Claim])
	challenge, note, err := m.trusts().NewChallenge(claim)
	must(t, err)
	answer := through(t, m.answer(key, through(t, challenge, proof.Decode[proof.Challenge])), proof.Decode[proof.Answer])
	r := must1[*proof.Result](t)(m.trusts().Verify(through(t, note, proof.Decode[proof.Note]), answer))
	has(t, r, key, 8)
	if r.Chip.Manufacturer != "id:00001014" || r.Chip.Model != "swtpm" || r.Chip.Version == "" || r.Chip.Issuer != "CN=swtpm-localca" {
		t.Errorf("the chip is %+v", r.Chip)
	}
	if left := m.loaded(); len(left) != 0 {
		t.Errorf("left in the TPM: %x", left)
	}
	if !bytes.Equal(m.claim(key).AttestationKey, claim.AttestationKey) {
		t.Error("the attestation key is another one the second time")
	}
}

// TestProofES384: a key of the other curve is proven in the same way.
func TestProofES384(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	wanted := spec(authenticator.PINBound)
	wanted.Algorithm = cose.ES384
	key := must1[*authenticator.Key](t)(m.machine.Create(t.Context(), wanted))
	r := m.round(key, m.trusts())
	result := must1[*proof.Result](t)(m.trusts().Verify(r.note, r.answer))
	has(t, result, key, 8)
	if result.Key.Algorithm != cose.ES384 {
		t.Errorf("proven: %+v", result.Key)
	}
}

// TestProofP256 has the certificate of the other endorsement key, and that of who has
// signed it, in the TPM too: the verifier trusts the root alone.
func TestProofP256(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	key := m.key(authenticator.PINBound)
	root, issuer := newAuthority(t, nil), (*authority)(nil)
	issuer = newAuthority(t, root)
	ek, _ := m.endorsementKeys()
	m.store(certificateP256, append(issuer.endorse(t, ek, endorsementUsage()), 0xFF, 0xFF, 0xFF)) // makers pad
	m.store(firstChain, issuer.der)
	tr := trust(t, now(), root.pem())
	r := m.round(key, tr)
	if len(r.claim.Chain) != 1 || !bytes.Equal(r.claim.Chain[0], issuer.der) {
		t.Errorf("the chain is %x", r.claim.Chain)
	}
	has(t, must1[*proof.Result](t)(tr.Verify(r.note, r.answer)), key, 8)
	if _, err := m.trusts().Verify(r.note, r.answer); !errors.Is(err, proof.ErrUntrusted) {
		t.Errorf("for who trusts another CA: %v", err)
	}
}

// TestOwnerPassword: the TPM does not say the limit, and all the rest holds.
func TestOwnerPassword(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	key := m.key(authenticator.PINBound)
	m.password(tpm2.TPMRHOwner, "secret")
	r := m.round(key, m.trusts())
	if r.answer.Limit != nil {
		t.Error("a limit was certified without the owner")
	}
	has(t, must1[*proof.Result](t)(m.trusts().Verify(r.note, through(t, r.answer, proof.Decode[proof.Answer]))), key, 0)
}

// TestNoProof: what stands in the way is said in words.
func TestNoProof(t *testing.T) {
	t.Parallel()
	says := func(err error, want string) {
		t.Helper()
		problem, ok := errors.AsType[*ctap.Problem](err)
		if !ok || !strings.Contains(problem.What, want) || problem.Hint == "" {
			t.Errorf("%v, want words about %q", err, want)
		}
	}
	m := newMachine(t)
	key := m.key(authenticator.PINBound)
	challenge, _, err := m.trusts().NewChallenge(m.claim(key))
	must(t, err)
	m.password(tpm2.TPMRHEndorsement, "secret")
	_, err = m.prover(key).Identity(t.Context())
	says(err, "endorsement")
	_, err = m.prover(key).Answer(t.Context(), challenge.ForTPM())
	says(err, "endorsement")
	m.undefine(certificateRSA)
	_, err = m.prover(key).Identity(t.Context())
	says(err, "no endorsement certificate")
	if left := m.loaded(); len(left) != 0 {
		t.Errorf("left in the TPM: %x", left)
	}
}

// TestAmongOthers: proofs are made while keys are used, and neither minds; nothing is
// left in the TPM, by those neither that were given up half-way.
func TestAmongOthers(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	key, used := m.key(authenticator.PINBound), m.key(authenticator.PresenceOnly)
	challenge, note, err := m.trusts().NewChallenge(m.claim(key))
	must(t, err)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			prepared, err := m.machine.Prepare(t.Context(), used, nil)
			if err == nil {
				_, err = prepared.Sign(t.Context(), make([]byte, 32))
				err = errors.Join(err, prepared.Close())
			}
			if err != nil {
				t.Errorf("signing meanwhile: %v", err)
			}
		})
		all.Go(func() {
			prover, err := m.machine.Prover(key)
			if err != nil {
				t.Error(err)
				return
			}
			answer, err := prover.Answer(t.Context(), challenge.ForTPM())
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := m.trusts().Verify(note, proof.NewAnswer(answer)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for commands := range 13 { // an answer takes that many
		if _, err := m.givenUp(key, commands).Answer(t.Context(), challenge.ForTPM()); err == nil {
			t.Errorf("answered with %d commands", commands)
		}
	}
	if left := m.loaded(); len(left) != 0 {
		t.Errorf("left in the TPM: %x", left)
	}
}

// TestMatches compares with what relying parties keep, in each form.
func TestMatches(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	key, another := m.key(authenticator.PINBound), m.key(authenticator.PINBound)
	r := m.round(key, m.trusts())
	shown := must1[*proof.Result](t)(m.trusts().Verify(r.note, r.answer))
	forms := func(key cose.Key, rpID string, id []byte) map[string][]byte {
		der := must1[[]byte](t)(key.SPKI())
		data := webauthn.AuthenticatorData{
			RPIDHash: webauthn.RPIDHash(rpID), Flags: webauthn.FlagUP,
			Attested: &webauthn.AttestedCredential{CredentialID: id, PublicKey: key},
		}
		return map[string][]byte{
			"COSE": must1[[]byte](t)(cbor.Marshal(key)), "DER": der,
			"PEM":                pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
			"authenticator data": must1[[]byte](t)(data.Marshal()),
		}
	}
	for form, b := range forms(key.Public, site, credentialID()) {
		must(t, errors.Join(shown.Matches(b)))
		if err := shown.Matches(b[:len(b)-1]); !errors.Is(err, proof.ErrDocument) && form != "PEM" {
			t.Errorf("%s, cut short: %v", form, err)
		}
	}
	for form, b := range forms(another.Public, site, credentialID()) {
		if err := shown.Matches(b); !errors.Is(err, proof.ErrAnother) {
			t.Errorf("another key as %s: %v", form, err)
		}
	}
	for what, b := range map[string][]byte{
		"site": forms(key.Public, "evil.example", credentialID())["authenticator data"],
		"id":   forms(key.Public, site, []byte("another"))["authenticator data"],
	} {
		if err := shown.Matches(b); !errors.Is(err, proof.ErrAnother) {
			t.Errorf("another %s: %v", what, err)
		}
	}
	if p384, err := x509.MarshalPKIXPublicKey(newAuthority(t, nil).key.Public()); err != nil || !errors.Is(shown.Matches(p384), proof.ErrAnother) {
		t.Errorf("a key of somebody's: %v, %v", shown.Matches(p384), err)
	}
}

// TestOnlyTheKey: what a key is called by, its point, is all that is free in its public area.
func TestOnlyTheKey(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	claim := m.claim(m.key(authenticator.PINBound))
	point := 2 * (2 + storage.CoordinateBytes)
	for what, area := range map[string]*[]byte{"key": &claim.Key, "attestation key": &claim.AttestationKey} {
		whole := *area
		for at := range len(whole) - point {
			*area = flipped(whole, at)
			if _, _, err := m.trusts().NewChallenge(claim); !errors.Is(err, proof.ErrKey) && !errors.Is(err, proof.ErrAttestation) {
				t.Fatalf("%s, byte %d changed: %v", what, at, err)
			}
		}
		*area = whole
	}
	for at := range claim.PINIndex {
		c := clone(claim)
		c.PINIndex = flipped(claim.PINIndex, at)
		if _, _, err := m.trusts().NewChallenge(c); !errors.Is(err, proof.ErrIndex) && !errors.Is(err, proof.ErrKey) {
			t.Fatalf("index, byte %d changed: %v", at, err)
		}
	}
	c := clone(claim)
	c.RelyingParty = "evil.example"
	if _, _, err := m.trusts().NewChallenge(c); !errors.Is(err, proof.ErrKey) {
		t.Errorf("another relying party: %v", err)
	}
}

// TestTrust reads certificates as makers publish them, and nothing else as one.
func TestTrust(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	claim := m.claim(m.key(authenticator.PINBound))
	der := func(b []byte) []byte { block, _ := pem.Decode(b); return block.Bytes }
	for what, add := range map[string][][]byte{
		"one file, PEM":        {append(bytes.Clone(m.ca.Issuer), m.ca.Root...)},
		"words around it":      {append(append([]byte("The root:\n"), m.ca.Issuer...), "\nThat is all.\n"...)},
		"two files, DER":       {der(m.ca.Root), der(m.ca.Issuer)},
		"one of each":          {m.ca.Root, der(m.ca.Issuer)},
		"the issuer by itself": {m.ca.Issuer},
	} {
		if _, _, err := trust(t, now(), add...).NewChallenge(claim); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte{1}})
	for what, b := range map[string][]byte{
		"nothing": nil, "text": []byte("a root"), "cut short": der(m.ca.Root)[:100], "a key": key,
		"a key after it": append(bytes.Clone(m.ca.Root), key...),
		"PEM of nothing": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}),
	} {
		if err := proof.NewTrust(now()).Add(b); !errors.Is(err, proof.ErrDocument) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
