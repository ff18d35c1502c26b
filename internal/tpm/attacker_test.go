package tpm

import (
	"errors"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/keystest"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/pinindex"
	"github.com/localpasskey/localpasskey/internal/tpm/policy"
	"github.com/localpasskey/localpasskey/internal/tpm/storage"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// The attacker has the TPM to himself, knows everything that is in the ledger and
// in memory but the PIN, and owns the owner hierarchy, as root does.

const evil = "evil"

var rpA, rpB = [32]byte{0xA}, [32]byte{0xB}

// victim is a set-up machine with the PIN 1234 and keys of every sort.
type victim struct {
	*testing.T
	*Machine
	chip   chip
	ledger *memory
	bound  *authenticator.Key // PIN-bound to rpA
	free   *authenticator.Key // presence-only
}

func newVictim(t *testing.T, c chip) *victim {
	t.Helper()
	ledger := new(memory)
	m := must1[*Machine](t)(SetUp(t.Context(), c.Opener(), ledger))
	must(t, m.Change(t.Context(), secret.Bytes{}, keystest.Hash("1234")))
	v := &victim{T: t, Machine: m, chip: c, ledger: ledger}
	v.bound = v.newKey(authenticator.PINBound)
	v.free = v.newKey(authenticator.PresenceOnly)
	return v
}

func (v *victim) newKey(binding authenticator.Binding) *authenticator.Key {
	v.Helper()
	return must1[*authenticator.Key](v.T)(v.Create(v.Context(), authenticator.KeySpec{
		Kind: authenticator.SigningKey, Binding: binding, RPIDHash: rpA,
	}))
}

// raw is a connection of the attacker's.
func (v *victim) raw(f func(t transport.TPM)) {
	v.Helper()
	conn := must1[Conn](v.T)(v.chip.Opener()(v.Context()))
	defer conn.Close()
	f(conn)
}

func (v *victim) policy(t transport.TPM) *wire.Session {
	v.Helper()
	return must1[*wire.Session](v.T)(wire.StartPolicy(t, nil))
}

// says checks what an attack is answered, and prints it.
func (v *victim) says(attack string, err error, want tpm2.TPMRC) {
	v.Helper()
	v.Logf("%-64s %v", attack+":", err)
	if !errors.Is(err, want) {
		v.Errorf("%s: got %v, want %v", attack, err, want)
	}
}

func (v *victim) works(what string, err error) {
	v.Helper()
	v.Logf("%-64s %v", what+":", err)
	if err != nil {
		v.Errorf("%s: %v", what, err)
	}
}

// load loads a key's blob as it is.
func (v *victim) load(t transport.TPM, key *authenticator.Key) tpm2.NamedHandle {
	v.Helper()
	b := must1[storage.Blob](v.T)(storage.Decode(key.Handle))
	return must1[tpm2.NamedHandle](v.T)(b.Load(t, v.srk))
}

// sign signs with whatever authorization the attacker has.
func sign(t transport.TPM, key tpm2.NamedHandle, auth tpm2.Session) error {
	_, err := tpm2.Sign{
		KeyHandle:  tpm2.AuthHandle{Handle: key.Handle, Name: key.Name, Auth: auth},
		Digest:     tpm2.TPM2BDigest{Buffer: make([]byte, 32)},
		Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull},
	}.Execute(t)
	return err
}

// showPassword is PolicySecret of an index with a password.
func showPassword(t transport.TPM, index tpm2.NamedHandle, password []byte, s *wire.Session, ref []byte) error {
	_, err := tpm2.PolicySecret{
		AuthHandle:    tpm2.AuthHandle{Handle: index.Handle, Name: index.Name, Auth: tpm2.PasswordAuth(password)},
		PolicySession: s.Handle(),
		PolicyRef:     tpm2.TPM2BNonce{Buffer: ref},
	}.Execute(t)
	return err
}

func owner() tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}
}

// undefine removes the victim's index, as the owner can.
func (v *victim) undefine(t transport.TPM) {
	v.Helper()
	_, err := tpm2.NVUndefineSpace{AuthHandle: owner(), NVIndex: v.generation().index.NamedHandle}.Execute(t)
	must(v.T, err)
}

// approved is a policy session that shows one of the stored approvals.
func approved(t transport.TPM, x *pinindex.Index, cc tpm2.TPMCC, ticket []byte) (*wire.Session, error) {
	s, err := wire.StartPolicy(t, nil)
	if err != nil {
		return nil, err
	}
	if _, err = (tpm2.PolicyCommandCode{PolicySession: s.Handle(), Code: cc}).Execute(t); err != nil {
		return nil, err
	}
	p := policy.Digest{}.Command(cc)
	if cc == wire.NVChangeAuth {
		p = policy.Digest{}.Secret(x.Name, nil).Command(cc)
	}
	_, err = tpm2.PolicyAuthorize{
		PolicySession:  s.Handle(),
		ApprovedPolicy: tpm2.TPM2BDigest{Buffer: p[:]},
		KeySign:        tpm2.TPM2BName{Buffer: x.Approvals.Authority},
		CheckTicket: tpm2.TPMTTKVerified{
			Tag: tpm2.TPMSTVerified, Hierarchy: tpm2.TPMRHOwner, Digest: tpm2.TPM2BDigest{Buffer: ticket},
		},
	}.Execute(t)
	return s, err
}

// by is an index as what authorizes a command.
func by(index tpm2.NamedHandle, s tpm2.Session) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: index.Handle, Name: index.Name, Auth: s}
}

// redefine puts an index of the same public area, with the attacker's PIN, at the
// same place, and gives it with the Name that it has.
func (v *victim) redefine(t transport.TPM) (tpm2.NamedHandle, error) {
	g := v.generation()
	policy := g.index.Doom().Policy
	_, err := tpm2.NVDefineSpace{
		AuthHandle: owner(),
		Auth:       tpm2.TPM2BAuth{Buffer: []byte(evil)},
		PublicInfo: tpm2.New2B(pinindex.Public(g.index.Handle, policy, false)),
	}.Execute(t)
	return tpm2.NamedHandle{Handle: g.index.Handle, Name: pinindex.Name(g.index.Handle, policy, false)}, err
}

func write(t transport.TPM, index tpm2.NamedHandle, auth tpm2.AuthHandle) error {
	_, err := tpm2.NVWrite{
		AuthHandle: auth,
		NVIndex:    index,
		Data:       tpm2.TPM2BMaxNVBuffer{Buffer: []byte{0, 0, 0, 0, 0, 0, 0, pinindex.Attempts}},
	}.Execute(t)
	return err
}

func ownerAuth(t transport.TPM, from, to string) error {
	_, err := tpm2.HierarchyChangeAuth{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth([]byte(from))},
		NewAuth:    tpm2.TPM2BAuth{Buffer: []byte(to)},
	}.Execute(t)
	return err
}
