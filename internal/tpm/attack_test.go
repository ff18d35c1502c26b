package tpm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/keystest"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/pinindex"
	"github.com/localpasskey/localpasskey/internal/tpm/problem"
	"github.com/localpasskey/localpasskey/internal/tpm/storage"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

func (v *victim) redefinedIndex() {
	t := v.T
	genuine := v.generation().index.NamedHandle
	v.raw(func(c transport.TPM) {
		v.undefine(c)
		index, err := v.redefine(c)
		must(t, err)
		if bytes.Equal(index.Name.Buffer, genuine.Name.Buffer) {
			t.Fatal("an unwritten index has the written one's name")
		}
		password := tpm2.AuthHandle{Handle: index.Handle, Name: index.Name, Auth: tpm2.PasswordAuth([]byte(evil))}
		v.says("owner writes the redefined index", write(c, index, owner()), tpm2.TPMRCNVAuthorization)
		v.says("attacker's PIN writes it", write(c, index, password), tpm2.TPMRCAuthUnavailable)
		s := v.policy(c)
		v.says("an empty policy writes it", write(c, index, by(index, s)), tpm2.TPMRCPolicyFail)
		v.says("attacker's PIN for a signature", showPassword(c, index, []byte(evil), s, rpA[:]), tpm2.TPMRCAuthUnavailable)
		key := v.load(c, v.bound)
		v.says("sign all the same", sign(c, key, s), tpm2.TPMRCPolicyFail)
	})
	said := func(when string) {
		t.Helper()
		_, err := v.Verify(t.Context(), keystest.Hash("1234"), &rpA)
		t.Logf("the right PIN, %s: %v", when, err)
		if ctap.StatusOf(err) != ctap.IntegrityFailure {
			t.Errorf("the right PIN, %s: %v", when, err)
		}
	}
	said("index redefined")
	v.raw(func(c transport.TPM) {
		_, err := tpm2.NVUndefineSpace{AuthHandle: owner(), NVIndex: tpm2.NamedHandle{
			Handle: genuine.Handle, Name: pinindex.Name(genuine.Handle, v.generation().index.Doom().Policy, false),
		}}.Execute(c)
		must(t, err)
		_, err = tpm2.NVDefineSpace{
			AuthHandle: owner(),
			Auth:       tpm2.TPM2BAuth{Buffer: []byte(evil)},
			PublicInfo: tpm2.New2B(pinindex.Public(genuine.Handle, v.generation().index.Doom().Policy, true)),
		}.Execute(c)
		v.says("define an index that is written already", err, tpm2.TPMRCAttributes)
	})
	said("index gone")
	if _, err := Open(t.Context(), v.chip.Opener(), v.ledger); ctap.StatusOf(err) != ctap.IntegrityFailure {
		t.Errorf("opened without its index: %v", err)
	}
}

func (v *victim) wrongAuthorization() {
	t := v.T
	g := v.generation()
	other := must1[*Machine](t)(SetUp(t.Context(), v.chip.Opener(), new(memory)))
	must(t, other.Change(t.Context(), secret.Bytes{}, keystest.Hash(evil)))
	ticket := func(m *Machine, pin string, rp [32]byte, lifetime time.Duration) *wire.Ticket {
		auth := must1[[]byte](t)(m.generation().authOf(keystest.Hash(pin)))
		return must1[*wire.Ticket](t)(m.verify(t.Context(), m.generation(), auth, rp[:], lifetime))
	}
	v.raw(func(c transport.TPM) {
		key := v.load(c, v.bound)
		v.says("sign with an empty password", sign(c, key, tpm2.PasswordAuth(nil)), tpm2.TPMRCAuthUnavailable)
		v.says("sign with the right PIN's authorization as password",
			sign(c, key, tpm2.PasswordAuth(must1[[]byte](t)(g.authOf(keystest.Hash("1234"))))), tpm2.TPMRCAuthUnavailable)
		v.says("sign with an unsatisfied policy", sign(c, key, v.policy(c)), tpm2.TPMRCPolicyFail)
	})
	use := func(attack string, tk *wire.Ticket, ref [32]byte, name tpm2.TPM2BName) (ticketErr, signErr error) {
		v.raw(func(c transport.TPM) {
			s := v.policy(c)
			ticketErr = wire.PolicyTicket(c, s.Handle(), tk, ref[:], name)
			signErr = sign(c, v.load(c, v.bound), s)
		})
		v.Logf("%-64s PolicyTicket %v, Sign %v", attack+":", ticketErr, signErr)
		return ticketErr, signErr
	}
	asIs := func(attack string, tk *wire.Ticket, ref [32]byte, name tpm2.TPM2BName, want tpm2.TPMRC) {
		t.Helper()
		ticketErr, signErr := use(attack, tk, ref, name)
		if want == tpm2.TPMRCSuccess && ticketErr != nil || want != tpm2.TPMRCSuccess && !errors.Is(ticketErr, want) {
			t.Errorf("%s: PolicyTicket %v, want %v", attack, ticketErr, want)
		}
		if !errors.Is(signErr, tpm2.TPMRCPolicyFail) {
			t.Errorf("%s: Sign %v", attack, signErr)
		}
	}
	foreignRP := ticket(v.Machine, "1234", rpB, authenticator.GrantLifetime)
	asIs("another RP's ticket, as it is", foreignRP, rpB, g.index.Name, tpm2.TPMRCSuccess)
	asIs("another RP's ticket, called this one's", foreignRP, rpA, g.index.Name, tpm2.TPMRCTicket)
	foreignPIN := ticket(other, evil, rpA, authenticator.GrantLifetime)
	asIs("another PIN index's ticket, as it is", foreignPIN, rpA, other.generation().index.Name, tpm2.TPMRCSuccess)
	asIs("another PIN index's ticket, called this one's", foreignPIN, rpA, g.index.Name, tpm2.TPMRCTicket)

	const lifetime = 3 * time.Second // enough for a busy machine to use it in
	brief := ticket(v.Machine, "1234", rpA, lifetime)
	if ticketErr, signErr := use("a ticket of three seconds, at once", brief, rpA, g.index.Name); ticketErr != nil || signErr != nil {
		t.Fatalf("a live ticket: %v, %v", ticketErr, signErr)
	}
	expired := &grant{generation: g.id, rpIDHash: rpA, ticket: brief}
	<-time.After(lifetime + 200*time.Millisecond)
	asIs("the same a little later", brief, rpA, g.index.Name, tpm2.TPMRCExpired)
	_, err := v.Prepare(t.Context(), v.bound, expired)
	v.says("Prepare with it", err, tpm2.TPMRCExpired)
	if ctap.StatusOf(err) != ctap.PINAuthInvalid {
		t.Errorf("an expired grant: %v", err)
	}
	longer := &wire.Ticket{Timeout: bytes.Clone(brief.Timeout), Proof: brief.Proof}
	longer.Timeout[len(longer.Timeout)-4]++
	asIs("an expired ticket with a later time written on it", longer, rpA, g.index.Name, tpm2.TPMRCTicket)
}

func (v *victim) guessing() {
	t := v.T
	for i := range pinindex.Attempts {
		_, err := v.Verify(t.Context(), keystest.Hash(evil), nil)
		var wrong *authenticator.WrongPIN
		if !errors.As(err, &wrong) || wrong.Retries != pinindex.Attempts-1-i {
			t.Fatalf("guess %d: %v", i+1, err)
		}
		t.Logf("guess %d: %v, %d left, global lockoutCounter %d", i+1, err, wrong.Retries, v.lockoutCounter())
	}
	v.locked("after eight guesses")
}

func (v *victim) guessedAndCut() {
	v.locked("after a power cycle")
	v.raw(func(c transport.TPM) { must(v.T, lockReset(c)) })
	v.locked("after a reset of the TPM's own lockout")
}

// locked checks that the right PIN is of no use, and that nobody else is locked out.
func (v *victim) locked(when string) {
	v.Helper()
	_, err := v.Verify(v.Context(), keystest.Hash("1234"), &rpA)
	v.Logf("%-64s %v", "the right PIN "+when+":", err)
	if ctap.StatusOf(err) != ctap.PINBlocked {
		v.Errorf("the right PIN %s: %v", when, err)
	}
	if n := v.lockoutCounter(); n != 0 {
		v.Errorf("global lockoutCounter %d %s: our wrong PINs lock others out", n, when)
	}
	if left := must1[int](v.T)(v.Retries(v.Context())); left != 0 {
		v.Errorf("%d attempts left %s", left, when)
	}
}

func (v *victim) lockoutCounter() (n uint32) {
	v.Helper()
	const ptLockoutCounter = 0x20E
	v.raw(func(c transport.TPM) {
		rsp := must1[*tpm2.GetCapabilityResponse](v.T)(tpm2.GetCapability{
			Capability: tpm2.TPMCapTPMProperties, Property: ptLockoutCounter, PropertyCount: 1,
		}.Execute(c))
		n = must1[*tpm2.TPMLTaggedTPMProperty](v.T)(rsp.CapabilityData.Data.TPMProperties()).TPMProperty[0].Value
	})
	return n
}

// lockReset is TPM2_DictionaryAttackLockReset with the empty lockoutAuth.
func lockReset(t transport.TPM) error {
	const cc, lockout, pw = 0x139, 0x4000000A, 0x40000009
	b := []byte{0x80, 0x02}
	for _, word := range []uint32{10 + 4 + 4 + 9, cc, lockout, 9, pw} {
		b = binary.BigEndian.AppendUint32(b, word)
	}
	rsp, err := t.Send(append(b, 0, 0, 0, 0, 0))
	if err != nil {
		return err
	}
	if rc := tpm2.TPMRC(binary.BigEndian.Uint32(rsp[6:])); rc != tpm2.TPMRCSuccess {
		return rc
	}
	return nil
}

func (v *victim) boundSession() {
	t := v.T
	v.raw(func(c transport.TPM) {
		_, err := tpm2.StartAuthSession{
			TPMKey:      tpm2.TPMRHNull,
			Bind:        v.generation().index.Handle,
			NonceCaller: tpm2.TPM2BNonce{Buffer: make([]byte, 16)},
			SessionType: tpm2.TPMSEHMAC,
			Symmetric:   tpm2.TPMTSymDef{Algorithm: tpm2.TPMAlgNull},
			AuthHash:    tpm2.TPMAlgSHA256,
		}.Execute(c)
		v.says("a session bound to the PIN index", err, tpm2.TPMRCHandle)
	})
	if left := must1[int](t)(v.Retries(t.Context())); left != pinindex.Attempts {
		t.Errorf("%d attempts left", left)
	}
}

func (v *victim) approvals() {
	t := v.T
	g := v.generation()
	index := g.index.NamedHandle
	pin := must1[[]byte](t)(g.authOf(keystest.Hash("1234")))
	v.raw(func(c transport.TPM) {
		v.says("owner writes the count", write(c, index, owner()), tpm2.TPMRCNVAuthorization)
		v.says("the PIN itself writes it", write(c, index, by(index, tpm2.PasswordAuth(pin))), tpm2.TPMRCAuthUnavailable)
		_, err := approved(c, g.index, wire.NVChangeAuth, g.index.Approvals.Change)
		v.says("the approval of NV_ChangeAuth without the PIN", err, tpm2.TPMRCValue)
	})
	for name, approval := range map[string]struct {
		cc     tpm2.TPMCC
		ticket []byte
	}{
		"NV_Read":  {tpm2.TPMCCNVRead, g.index.Approvals.Read},
		"PolicyNV": {tpm2.TPMCCPolicyNV, g.index.Approvals.Prove},
	} {
		with := func(f func(c transport.TPM, s *wire.Session)) {
			v.raw(func(c transport.TPM) {
				f(c, must1[*wire.Session](t)(approved(c, g.index, approval.cc, approval.ticket)))
			})
		}
		with(func(c transport.TPM, s *wire.Session) {
			v.says("the approval of "+name+" writes", write(c, index, by(index, s)), tpm2.TPMRCPolicyCC)
		})
		with(func(c transport.TPM, s *wire.Session) {
			cover := must1[*wire.Session](t)(wire.StartHMAC(c, v.srk.Salt()))
			v.says("the approval of "+name+" changes the PIN", wire.ChangeNVAuth(c, index, []byte(evil), s, cover), tpm2.TPMRCPolicyCC)
		})
		with(func(c transport.TPM, s *wire.Session) {
			_, err := tpm2.PolicySecret{AuthHandle: by(index, s), PolicySession: v.policy(c).Handle()}.Execute(c)
			v.says("the approval of "+name+" stands for the PIN", err, tpm2.TPMRCMode)
		})
		with(func(c transport.TPM, s *wire.Session) {
			v.says("the approval of "+name+" signs", sign(c, v.load(c, v.bound), s), tpm2.TPMRCPolicyFail)
		})
	}
	if left := must1[int](t)(v.Retries(t.Context())); left != pinindex.Attempts {
		t.Errorf("%d attempts left", left)
	}
	must1[authenticator.Grant](t)(v.Verify(t.Context(), keystest.Hash("1234"), &rpA))
}

func (v *victim) secondTPM() {
	t := v.T
	second := startTPM(t)
	mine := must1[*Machine](t)(SetUp(t.Context(), second.Opener(), new(memory)))
	refused := func(how string, err error) {
		t.Helper()
		p := explained(t, err)
		t.Logf("%s: %v; hint: %s", how, err, p.Hint)
		if !strings.Contains(p.What, "made on another machine") {
			t.Errorf("%s: %v", how, err)
		}
	}
	before := len(v.ledger.saved)
	_, err := Open(t.Context(), startTPM(t).Opener(), v.ledger)
	refused("on a TPM that was never used", err)
	_, err = Open(t.Context(), second.Opener(), v.ledger)
	refused("on another machine's TPM", err)

	r := must1[*record](t)(decodeRecord(must1[[]byte](t)(v.ledger.Load())))
	r.SRKName = mine.srk.Name.Buffer
	_, err = Open(t.Context(), second.Opener(), &memory{saved: [][]byte{must1[[]byte](t)(r.encode())}})
	refused("there, with its storage key's name written in", err)
	if !errors.Is(err, tpm2.TPMRCIntegrity) {
		t.Errorf("got %v, want TPM_RC_INTEGRITY", err)
	}
	if len(v.ledger.saved) != before {
		t.Error("the ledger of another machine was written")
	}
	conn := must1[Conn](t)(second.Opener()(t.Context()))
	defer conn.Close()
	b := must1[storage.Blob](t)(storage.Decode(v.bound.Handle))
	_, err = b.Load(conn, mine.srk)
	v.says("a credential's blob on the second TPM", err, tpm2.TPMRCIntegrity)
	refused("the same, in words", problem.Explain(err))
	if _, err = mine.Prepare(t.Context(), v.bound, nil); ctap.StatusOf(err) != ctap.InvalidCredential {
		t.Errorf("Prepare on the second machine: %v", err)
	}
}

func (v *victim) oldStore() {
	t := v.T
	oldest, old := v.ledger.saved[0], must1[[]byte](t)(v.ledger.Load())
	for _, b := range v.ledger.saved {
		if r := must1[*record](t)(decodeRecord(b)); r.Current != nil {
			oldest = b // the first with a generation: before any PIN
			break
		}
	}
	must(t, v.Change(t.Context(), keystest.Hash("1234"), keystest.Hash("5678")))

	m := must1[*Machine](t)(Open(t.Context(), v.chip.Opener(), &memory{saved: [][]byte{old}}))
	_, err := m.Verify(t.Context(), keystest.Hash("1234"), &rpA)
	t.Logf("store of before the PIN change, old PIN: %v", err)
	if ctap.StatusOf(err) != ctap.PINInvalid {
		t.Errorf("the old PIN with the old store: %v", err)
	}
	g := must1[authenticator.Grant](t)(m.Verify(t.Context(), keystest.Hash("5678"), &rpA))
	v.works("the new PIN with the old store", signWith(t, m, v.bound, g))

	m = must1[*Machine](t)(Open(t.Context(), v.chip.Opener(), &memory{saved: [][]byte{oldest}}))
	err = m.Change(t.Context(), secret.Bytes{}, keystest.Hash(evil))
	t.Logf("store of before the first PIN, a first PIN: %v", err)
	if ctap.StatusOf(err) != ctap.PINInvalid {
		t.Errorf("a first PIN with the oldest store: %v", err)
	}
	if !m.IsSet() {
		t.Error("after that the machine must know that there is a PIN")
	}
	must1[authenticator.Grant](t)(m.Verify(t.Context(), keystest.Hash("5678"), &rpA))
}

func (v *victim) objectChangeAuth() {
	t := v.T
	changed := *v.bound
	v.raw(func(c transport.TPM) {
		key := v.load(c, v.bound)
		rsp, err := tpm2.ObjectChangeAuth{
			ObjectHandle: tpm2.AuthHandle{Handle: key.Handle, Name: key.Name, Auth: tpm2.PasswordAuth(nil)},
			ParentHandle: tpm2.NamedHandle{Handle: 0x81000001, Name: v.srk.Name},
			NewAuth:      tpm2.TPM2BAuth{Buffer: []byte(evil)},
		}.Execute(c)
		t.Logf("ObjectChangeAuth without the PIN: %v", err)
		must(t, err)
		// 01 ‖ TPM2B_PRIVATE ‖ TPM2B_PUBLIC, with the private part exchanged.
		public := v.bound.Handle[3+binary.BigEndian.Uint16(v.bound.Handle[1:]):]
		changed.Handle = slices.Concat([]byte{1}, tpm2.Marshal(rsp.OutPrivate), public)
	})
	v.raw(func(c transport.TPM) {
		key := v.load(c, &changed)
		v.says("sign with the new authorization", sign(c, key, tpm2.PasswordAuth([]byte(evil))), tpm2.TPMRCAuthUnavailable)
		v.says("sign with an unsatisfied policy", sign(c, key, v.policy(c)), tpm2.TPMRCPolicyFail)
	})
}

func (v *victim) afterReset() {
	t := v.T
	old := v.generation()
	must(t, v.Renew(t.Context()))
	must(t, v.Change(t.Context(), secret.Bytes{}, keystest.Hash("1234")))
	g := v.generation()
	if bytes.Equal(old.index.Name.Buffer, g.index.Name.Buffer) || old.id == g.id || v.IsSet() == false {
		t.Fatal("the generation is the old one")
	}
	clean(t, v.chip, g.index.Handle)
	for name, key := range map[string]*authenticator.Key{"PIN-bound": v.bound, "presence-only": v.free} {
		if _, err := v.Prepare(t.Context(), key, nil); ctap.StatusOf(err) != ctap.InvalidCredential {
			t.Errorf("%s key of before the reset: %v", name, err)
		}
	}
	v.raw(func(c transport.TPM) {
		s := v.policy(c)
		auth := must1[[]byte](t)(g.authOf(keystest.Hash("1234")))
		must(t, showPassword(c, g.index.NamedHandle, auth, s, rpA[:]))
		v.says("the PIN-bound key with the new PIN", sign(c, v.load(c, v.bound), s), tpm2.TPMRCPolicyFail)
	})
	v.raw(func(c transport.TPM) {
		s := must1[*wire.Session](t)(g.index.Prove(c, nil))
		v.says("the presence-only key with the new index", sign(c, v.load(c, v.free), s), tpm2.TPMRCPolicyFail)
	})
	v.raw(func(c transport.TPM) {
		_, err := old.index.Prove(c, nil)
		if err == nil {
			t.Error("the old generation is alive")
		}
		t.Logf("the old approvals: %v", err)
	})
}

func (v *victim) presenceOnly() {
	t := v.T
	use := func() error { return signWith(t, v.Machine, v.free, nil) }
	v.works("no PIN", use())
	for range pinindex.Attempts {
		if _, err := v.Verify(t.Context(), keystest.Hash(evil), nil); err == nil {
			t.Fatal("a wrong PIN passed")
		}
	}
	v.works("after eight wrong PINs", use())
	v.raw(func(c transport.TPM) { must(t, ownerAuth(c, "", "admin")) })
	v.works("with an owner password of somebody's", use())
	if left := must1[int](t)(v.Retries(t.Context())); left != 0 {
		t.Errorf("%d attempts left, read without owner", left)
	}
	v.raw(func(c transport.TPM) { must(t, ownerAuth(c, "admin", "")) })
}

func (v *victim) presenceOnlyAndCut() {
	t := v.T
	use := func() error { return signWith(t, v.Machine, v.free, nil) }
	v.works("after a power cycle", use())

	v.raw(v.undefine)
	v.says("index gone", use(), tpm2.TPMRCHandle)
	g := v.generation()
	var index tpm2.NamedHandle
	v.raw(func(c transport.TPM) { index = must1[tpm2.NamedHandle](t)(v.redefine(c)) })
	v.raw(func(c transport.TPM) {
		// The approval names no index, so that it serves for the redefined one too.
		reader := must1[*wire.Session](t)(approved(c, g.index, tpm2.TPMCCPolicyNV, g.index.Approvals.Prove))
		_, err := tpm2.PolicyNV{
			AuthHandle:    tpm2.AuthHandle{Handle: index.Handle, Name: index.Name, Auth: reader},
			NVIndex:       index,
			PolicySession: v.policy(c).Handle(),
			OperandB:      tpm2.TPM2BOperand{Buffer: []byte{0, 0, 0, pinindex.Attempts}},
			Offset:        4,
			Operation:     tpm2.TPMEOEq,
		}.Execute(c)
		v.says("redefined by root", err, tpm2.TPMRCNVUninitialized)
		_, err = tpm2.NVUndefineSpace{AuthHandle: owner(), NVIndex: index}.Execute(c)
		must(t, err)
	})
	must(t, v.Renew(t.Context()))
	v.raw(func(c transport.TPM) {
		s := must1[*wire.Session](t)(v.generation().index.Prove(c, nil))
		v.says("after a reset", sign(c, v.load(c, v.free), s), tpm2.TPMRCPolicyFail)
	})
}
