package proof_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/proof"
)

// decoded decodes a document as each of the four kinds and gives what it is, encoded anew,
// or nil where it is none.
func decoded(b []byte) (again []byte, errs []error) {
	keep := func(doc proof.Document, err error) {
		errs = append(errs, err)
		if err == nil {
			again, _ = proof.Encode(doc)
		}
	}
	claim, err := proof.Decode[proof.Claim](bytes.NewReader(b))
	keep(claim, err)
	challenge, err := proof.Decode[proof.Challenge](bytes.NewReader(b))
	keep(challenge, err)
	note, err := proof.Decode[proof.Note](bytes.NewReader(b))
	keep(note, err)
	answer, err := proof.Decode[proof.Answer](bytes.NewReader(b))
	keep(answer, err)
	return again, errs
}

// documents are the four of a proof without a TPM: what is in them is of the right shape.
func documents() map[string][]byte {
	some := func(n int) []byte { return bytes.Repeat([]byte{9}, n) }
	text := func(b []byte) string { out, _ := json.Marshal(b); return string(out) }
	claim := `{"format":"localpasskey proof claim","version":1,"relying_party":"example.com","credential_id":` + text(some(32)) +
		`,"key":` + text(some(90)) + `,"pin_index":` + text(some(46)) + `,"set_up_key":` + text(some(34)) +
		`,"attestation_key":` + text(some(90)) + `,"certificate":` + text(some(100)) + `,"chain":[` + text(some(50)) + `]}`
	statement := `{"attest":` + text(some(140)) + `,"signature":` + text(some(72)) + `}`
	return map[string][]byte{
		"claim": []byte(claim),
		"challenge": []byte(`{"format":"localpasskey proof challenge","version":1,"credential_id":` + text(some(32)) + `,"nonce":` + text(some(32)) +
			`,"credential_blob":` + text(some(68)) + `,"encrypted_secret":` + text(some(68)) + `}`),
		"note": []byte(`{"format":"localpasskey proof note","version":1,"made":"2026-01-02T03:04:05Z","nonce":` + text(some(32)) +
			`,"secret":` + text(some(32)) + `,"claim":` + claim + `}`),
		"answer":           []byte(`{"format":"localpasskey proof answer","version":1,"secret":` + text(some(32)) + `,"key":` + statement + `,"limit":` + statement + `}`),
		"answer, no limit": []byte(`{"format":"localpasskey proof answer","version":1,"secret":` + text(some(32)) + `,"key":` + statement + `,"limit":null}`),
	}
}

// TestDecodeRefuses: documents that say more than we know of, or less.
func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	all := documents()
	for name, b := range all {
		if again, _ := decoded(b); again == nil {
			t.Errorf("%s: is none", name)
		}
		for what, change := range map[string][2]string{
			"another version":   {`"version":1`, `"version":2`},
			"another format":    {"localpasskey proof", "localpasskey prof"},
			"a field unknown":   {`"version":1`, `"version":1,"more":1`},
			"a field twice":     {`"version":1`, `"version":1,"version":1`},
			"a field's case":    {`"version"`, `"Version"`},
			"a field's place":   {`"format":"localpasskey proof ` + strings.Split(name, ",")[0] + `","version":1`, `"version":1,"format":"localpasskey proof ` + strings.Split(name, ",")[0] + `"`},
			"a number's form":   {`"version":1`, `"version":1.0`},
			"other base64":      {`CQ=="`, `CR=="`},
			"no base64":         {`CQkJ`, `C*kJ`},
			"cut short":         {`}`, ``},
			"something follows": {`{"format"`, `{} {"format"`},
		} {
			changed := strings.Replace(string(b), change[0], change[1], 1)
			if changed == string(b) {
				if what != "other base64" {
					t.Errorf("%s, %s: nothing changed", name, what)
				}
				continue
			}
			again, errs := decoded([]byte(changed))
			if again != nil {
				t.Errorf("%s, %s: decodes", name, what)
			}
			for _, err := range errs {
				if !errors.Is(err, proof.ErrDocument) {
					t.Errorf("%s, %s: %v", name, what, err)
				}
			}
		}
	}
	for what, change := range map[string][2]string{
		"no relying party":       {"example.com", ""},
		"one with an escape":     {"example.com", "\\u001b[2J"},
		"one that is long":       {"example.com", strings.Repeat("a", 254)},
		"no chain":               {`"chain":[`, `"chain":null,"c":[`},
		"something without end":  {`"chain":[`, `"chain":[` + strings.Repeat(`"AA==",`, 20)},
		"something without form": {`"chain":[`, `"chain":[` + strings.Repeat(" ", 70_000)},
	} {
		if again, _ := decoded([]byte(strings.Replace(string(all["claim"]), change[0], change[1], 1))); again != nil {
			t.Errorf("%s: decodes", what)
		}
	}
}

// FuzzDecode decodes anything: no panic, and what decodes comes back the same.
func FuzzDecode(f *testing.F) {
	for _, b := range documents() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		again, _ := decoded(b)
		if again == nil {
			return
		}
		var a, z bytes.Buffer
		if err := errors.Join(json.Compact(&a, b), json.Compact(&z, again)); err != nil || !bytes.Equal(a.Bytes(), z.Bytes()) {
			t.Errorf("%s comes back as %s, %v", b, again, err)
		}
	})
}

// FuzzVerify has a verifier read anything in a prover's name: no panic, and nothing but
// what the TPM has said holds.
func FuzzVerify(f *testing.F) {
	m := newMachine(f)
	key := m.key(authenticator.PINBound)
	r := m.round(key, m.trusts())
	f.Add(r.claim.Certificate, r.claim.AttestationKey, r.claim.Key, r.claim.PINIndex, r.answer.Key.Attest, r.answer.Key.Signature)
	f.Add([]byte{0x30, 0}, r.claim.AttestationKey, r.claim.Key, r.claim.PINIndex, r.answer.Limit.Attest, r.answer.Limit.Signature)
	trust := m.trusts()
	f.Fuzz(func(t *testing.T, certificate, attestation, key, index, attest, signature []byte) {
		claim, note, answer := clone(r.claim), clone(r.note), clone(r.answer)
		claim.Certificate, claim.AttestationKey, claim.Key, claim.PINIndex = certificate, attestation, key, index
		note.Claim = claim
		answer.Key = proof.Statement{Attest: attest, Signature: signature}
		_, _, _ = trust.NewChallenge(claim)
		shown, err := trust.Verify(note, answer)
		same := bytes.Equal(claim.Key, r.claim.Key) && bytes.Equal(attest, r.answer.Key.Attest) && bytes.Equal(index, r.claim.PINIndex)
		if err == nil && !same {
			t.Errorf("holds: %+v", shown)
		}
	})
}
