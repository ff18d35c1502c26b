package tpm

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/keystest"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/health"
	"github.com/localpasskey/localpasskey/internal/tpm/pinindex"
	"github.com/localpasskey/localpasskey/internal/tpm/policy"
	"github.com/localpasskey/localpasskey/internal/tpm/storage"
)

func TestDescribe(t *testing.T) {
	m, _, _ := setUp(t)
	d := must1[health.Description](t)(m.Describe(t.Context()))
	t.Log(d)
	if d.Manufacturer != "IBM" || d.Firmware == "0.0" || d.Revision < 138 || d.Revision > 199 {
		t.Errorf("%+v", d)
	}
}

func TestNotSetUp(t *testing.T) {
	chip := startTPM(t)
	_, err := Open(t.Context(), chip.Opener(), new(memory))
	if p := explained(t, err); ctap.StatusOf(err) != ctap.NotAllowed || !strings.Contains(p.Hint, "setup") {
		t.Errorf("%v", err)
	}
}

// TestOwnerPassword: set-up, reset and clean-up say what is in their way.
func TestOwnerPassword(t *testing.T) {
	m, chip, ledger := setUp(t)
	must(t, m.Change(t.Context(), secret.Bytes{}, keystest.Hash("1234")))
	conn := must1[Conn](t)(chip.Opener()(t.Context()))
	defer conn.Close()
	must(t, ownerAuth(conn, "", "admin"))
	owned := func(err error) {
		t.Helper()
		if p := explained(t, err); !strings.Contains(p.What, "owner password") {
			t.Errorf("%v", err)
		}
	}
	_, err := SetUp(t.Context(), chip.Opener(), new(memory))
	owned(err)
	before := m.Generation()
	owned(m.Renew(t.Context()))
	if m.Generation() != before {
		t.Error("a reset that failed began a generation")
	}
	again := must1[*Machine](t)(Open(t.Context(), chip.Opener(), ledger))
	must1[authenticator.Grant](t)(again.Verify(t.Context(), keystest.Hash("1234"), &rpA))
	if left := must1[int](t)(again.Retries(t.Context())); left != pinindex.Attempts {
		t.Errorf("%d attempts left", left)
	}
	must(t, ownerAuth(conn, "admin", ""))
	must(t, m.Renew(t.Context()))
	clean(t, chip, m.generation().index.Handle)
}

// TestLeftoversHinderNobody: an index that could not be removed is removed with the
// next use of the TPM for which it can be, and until then everything works.
func TestLeftoversHinderNobody(t *testing.T) {
	m, chip, _ := setUp(t)
	must(t, m.Change(t.Context(), secret.Bytes{}, keystest.Hash("1234")))
	key := must1[*authenticator.Key](t)(m.Create(t.Context(), authenticator.KeySpec{
		Kind: authenticator.SigningKey, Binding: authenticator.PINBound, RPIDHash: rpA,
	}))
	for name, use := range map[string]func() error{
		"a PIN": func() error { _, err := m.Verify(t.Context(), keystest.Hash("1234"), nil); return err },
		"a key": func() error { p, err := m.Prepare(t.Context(), key, nil); return errors.Join(err, p.Close()) },
		"another PIN": func() error {
			return m.Change(t.Context(), keystest.Hash("1234"), keystest.Hash("1234"))
		},
	} {
		leftover := must1[*Machine](t)(SetUp(t.Context(), chip.Opener(), new(memory))).generation().index
		m.doomed = []pinindex.Doomed{leftover.Doom()}
		conn := must1[Conn](t)(chip.Opener()(t.Context()))
		must(t, ownerAuth(conn, "", "admin"))
		if err := use(); err != nil || len(m.doomed) != 1 {
			t.Errorf("%s, with an owner password: %v, and %d are to be removed", name, err, len(m.doomed))
		}
		must(t, ownerAuth(conn, "admin", ""))
		must(t, conn.Close())
		if err := use(); err != nil || len(m.doomed) != 0 {
			t.Errorf("%s: %v, and %d are to be removed", name, err, len(m.doomed))
		}
		clean(t, chip, m.generation().index.Handle)
	}
}

// TestCleared: what TPM2_Clear leaves behind is told apart from trouble.
func TestCleared(t *testing.T) {
	m, chip, ledger := setUp(t)
	key := must1[*authenticator.Key](t)(m.Create(t.Context(), authenticator.KeySpec{
		Kind: authenticator.SigningKey, Binding: authenticator.PresenceOnly,
	}))
	conn := must1[Conn](t)(chip.Opener()(t.Context()))
	defer conn.Close()
	_, err := tpm2.Clear{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHLockout, Auth: tpm2.PasswordAuth(nil)}}.Execute(conn)
	must(t, err)
	_, err = Open(t.Context(), chip.Opener(), ledger)
	cleared := func(err error) {
		t.Helper()
		if p := explained(t, err); ctap.StatusOf(err) != ctap.IntegrityFailure || !strings.Contains(p.Hint, "register") {
			t.Errorf("%v", err)
		}
	}
	cleared(err)
	_, err = m.Create(t.Context(), key.KeySpec)
	cleared(err)
	_, err = m.Prepare(t.Context(), key, nil)
	cleared(err)
	_, err = m.Retries(t.Context())
	cleared(err)
}

// TestNothingSecretOnTheBus: a probe on the wires of a discrete TPM sees no PIN in
// any form, no key of the store and no output of hmac-secret.
func TestNothingSecretOnTheBus(t *testing.T) {
	chip, ledger := startTPM(t), new(memory)
	tap := &tap{open: chip.Opener()}
	m := must1[*Machine](t)(SetUp(t.Context(), tap.Open, ledger))
	first := bytes.Clone(m.generation().initial)
	must(t, m.Change(t.Context(), secret.Bytes{}, keystest.Hash("1234")))
	must(t, m.Change(t.Context(), keystest.Hash("1234"), keystest.Hash("5678")))
	if _, err := m.Verify(t.Context(), keystest.Hash("1234"), nil); err == nil {
		t.Error("the old PIN")
	}
	key := must1[*authenticator.Key](t)(m.Create(t.Context(), authenticator.KeySpec{
		Kind: authenticator.MACKey, Binding: authenticator.PINBound, RPIDHash: rpA,
	}))
	p := must1[authenticator.Prepared](t)(m.Prepare(t.Context(), key, nil))
	must1[authenticator.Grant](t)(p.Verify(t.Context(), keystest.Hash("5678")))
	salt := bytes.Repeat([]byte("salt"), 8)
	mac := must1[secret.Bytes](t)(p.MAC(t.Context(), salt))
	must(t, p.Close())
	must1[*Machine](t)(Open(t.Context(), tap.Open, ledger))
	for what, hidden := range map[string][]byte{
		"first authorization": first,
		"old PIN's hash":      keystest.Hash("1234").Reveal(), "PIN's hash": keystest.Hash("5678").Reveal(),
		"old PIN's authorization": must1[[]byte](t)(m.generation().authOf(keystest.Hash("1234"))),
		"PIN's authorization":     must1[[]byte](t)(m.generation().authOf(keystest.Hash("5678"))),
		"store's key":             m.MetadataKey().Reveal(),
		"hmac-secret's salt":      salt, "hmac-secret's output": mac.Reveal(),
	} {
		if len(hidden) < 16 || bytes.Contains(tap.bus, hidden) {
			t.Errorf("the %s has crossed the bus", what)
		}
	}
	if !bytes.Contains(tap.bus, rpA[:]) { // A check of the check: policyRef is no secret.
		t.Error("the tap does not work")
	}
}

// TestTwoUsers: two stores on one TPM do not meet.
func TestTwoUsers(t *testing.T) {
	one, chip, _ := setUp(t)
	two := must1[*Machine](t)(SetUp(t.Context(), chip.Opener(), new(memory)))
	must(t, one.Change(t.Context(), secret.Bytes{}, keystest.Hash("1111")))
	must(t, two.Change(t.Context(), secret.Bytes{}, keystest.Hash("2222")))
	key := must1[*authenticator.Key](t)(one.Create(t.Context(), authenticator.KeySpec{
		Kind: authenticator.SigningKey, Binding: authenticator.PINBound, RPIDHash: rpA,
	}))
	g := must1[authenticator.Grant](t)(two.Verify(t.Context(), keystest.Hash("2222"), &rpA))
	if err := signWith(t, one, key, g); ctap.StatusOf(err) != ctap.PINAuthInvalid {
		t.Errorf("another user's grant: %v", err)
	}
	if err := signWith(t, two, key, g); ctap.StatusOf(err) != ctap.InvalidCredential {
		t.Errorf("another user's key: %v", err)
	}
	must(t, two.Renew(t.Context()))
	g = must1[authenticator.Grant](t)(one.Verify(t.Context(), keystest.Hash("1111"), &rpA))
	must(t, signWith(t, one, key, g))
}

// TestProbe: a TPM without PIN indices, or that does not count, is named as such and
// left as it was.
func TestProbe(t *testing.T) {
	for name, c := range map[string]struct {
		cc   tpm2.TPMCC
		nth  int
		give func(rsp []byte) []byte
		says string
	}{
		"no PIN_FAIL": {tpm2.TPMCCNVDefineSpace, 1, func([]byte) []byte {
			return answer(tpm2.TPMRCAttributes + 0x240) // parameter 2
		}, "PIN_FAIL"},
		"does not count": {tpm2.TPMCCNVRead, 1, count(0), "count"},
		"keeps counting": {tpm2.TPMCCNVRead, 2, count(1), "attempts back"},
	} {
		t.Run(name, func(t *testing.T) {
			chip, ledger := startTPM(t), new(memory)
			tap := &tap{open: chip.Opener()}
			seen := 0
			tap.meddle = func(n int, send func() ([]byte, error)) ([]byte, error) {
				rsp, err := send()
				if tap.since(n - 1)[0] != c.cc {
					return rsp, err
				}
				if seen++; seen == c.nth {
					return c.give(rsp), err
				}
				return rsp, err
			}
			_, err := SetUp(t.Context(), tap.Open, ledger)
			if p := explained(t, err); !strings.Contains(p.What, c.says) {
				t.Errorf("%v", err)
			}
			tap.leakless(t)
			clean(t, chip)
			must1[*Machine](t)(SetUp(t.Context(), chip.Opener(), ledger))
		})
	}
}

// count writes a PIN count into the response of NV_Read.
func count(n byte) func([]byte) []byte {
	return func(rsp []byte) []byte {
		rsp[10+4+2+3] = n
		return rsp
	}
}

// BenchmarkAssertion is Prepare and Sign with a live ticket, and apart from that the
// part of it that comes after the gesture; BenchmarkBareSign is what the chip itself
// takes for TPM2_Sign, on a key that stays loaded.
func BenchmarkAssertion(b *testing.B) {
	m, key, g := benchKey(b)
	var after time.Duration
	for b.Loop() {
		p := must1[authenticator.Prepared](b)(m.Prepare(b.Context(), key, g))
		gesture := time.Now()
		must1[[]byte](b)(p.Sign(b.Context(), make([]byte, 32)))
		after += time.Since(gesture)
		must(b, p.Close())
	}
	b.ReportMetric(float64(after.Nanoseconds())/float64(b.N), "ns-after-gesture/op")
}

func BenchmarkBareSign(b *testing.B) {
	m, _, _ := benchKey(b)
	must(b, m.converse(b.Context(), func(t transport.TPM) error {
		template := storage.SigningKey(policy.Digest{}, cose.ES256)
		template.ObjectAttributes.UserWithAuth = true
		blob := must1[storage.Blob](b)(m.srk.Create(t, template))
		key := must1[tpm2.NamedHandle](b)(blob.Load(t, m.srk))
		for b.Loop() {
			must(b, sign(t, key, tpm2.PasswordAuth(nil)))
		}
		return nil
	}))
}

func benchKey(b *testing.B) (*Machine, *authenticator.Key, authenticator.Grant) {
	b.Helper()
	m, _, _ := setUp(b)
	must(b, m.Change(b.Context(), secret.Bytes{}, keystest.Hash("1234")))
	key := must1[*authenticator.Key](b)(m.Create(b.Context(), authenticator.KeySpec{
		Kind: authenticator.SigningKey, Binding: authenticator.PINBound, RPIDHash: rpA,
	}))
	return m, key, must1[authenticator.Grant](b)(m.Verify(b.Context(), keystest.Hash("1234"), &rpA))
}
