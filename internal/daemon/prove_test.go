package daemon

import (
	"errors"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/proof"
)

// TestProveRefuses: what no proof can be made of is said, each in its way. The proofs
// themselves are made where there is an endorsement certificate: by the command line's
// tests, through this daemon.
func TestProveRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.setup()
	r.setPIN()
	check(t, register(t.Context(), r.channel()))
	list, err := ctap.ReadPasskeys(t.Context(), r.channel())
	check(t, err)
	ask := func(req proof.Request) error {
		_, err := ctap.Call[proof.Response](t.Context(), r.channel(), proof.Command, req)
		return err
	}
	for what, c := range map[string]struct {
		req  proof.Request
		want error
		says string
	}{
		"nothing":            {proof.Request{}, ctap.NoCredentials, ""},
		"a passkey unknown":  {proof.Request{CredentialID: []byte("none")}, ctap.NoCredentials, ""},
		"no challenge":       {proof.Request{Challenge: []byte(`{"format":"localpasskey proof answer"}`)}, proof.ErrDocument, "challenge cannot be read"},
		"nobody vouches":     {proof.Request{CredentialID: list[0].CredentialID}, ctap.NotAllowed, "no endorsement certificate"},
		"it solves nothing":  {proof.Request{Challenge: challenge(t, list[0].CredentialID)}, ctap.NotAllowed, "no endorsement certificate"},
		"nor for no passkey": {proof.Request{Challenge: challenge(t, []byte("none"))}, ctap.NoCredentials, ""},
	} {
		err := ask(c.req)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
		problem, ok := errors.AsType[*ctap.Problem](err)
		if ok != (c.says != "") || ok && !strings.Contains(problem.What, c.says) {
			t.Errorf("%s: %v, want words with %q", what, err, c.says)
		}
	}
	if _, err := r.channel().Vendor(t.Context(), proof.Command, cbor.Raw{0xFF}); !errors.Is(err, cbor.ErrMalformed) {
		t.Errorf("no CBOR: %v", err)
	}
	if len(r.person.Asked()) != 1 { // by register
		t.Error("the person was asked about a proof")
	}
	if s := r.status(); s.Problem != nil {
		t.Errorf("afterwards: %+v", s.Problem)
	}
}

// challenge is one in the right form, of no verifier's.
func challenge(t *testing.T, id []byte) []byte {
	t.Helper()
	c := &proof.Challenge{CredentialID: id, Nonce: make([]byte, 32), CredentialBlob: make([]byte, 68), EncryptedSecret: make([]byte, 256)}
	c.Format, c.Version = "localpasskey proof challenge", 1
	encoded, err := proof.Encode(c)
	check(t, err)
	return encoded
}
