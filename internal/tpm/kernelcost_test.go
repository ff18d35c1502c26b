//go:build e2e && linux

package tpm

import (
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/keystest"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/test/vm"
)

// user is a machine with a PIN and a key, and what is done with them.
type user struct {
	*testing.T
	*Machine
	key *authenticator.Key
	p   authenticator.Prepared
}

func newUser(t *testing.T, m *Machine) *user {
	t.Helper()
	must(t, m.Change(t.Context(), secret.Bytes{}, keystest.Hash("1234")))
	return &user{T: t, Machine: m, key: must1[*authenticator.Key](t)(m.Create(t.Context(), authenticator.KeySpec{
		Kind: authenticator.SigningKey, Binding: authenticator.PINBound, RPIDHash: rpA,
	}))}
}

func (u *user) ticket() authenticator.Grant {
	u.Helper()
	return must1[authenticator.Grant](u.T)(u.Verify(u.Context(), keystest.Hash("1234"), &rpA))
}

func (u *user) prepare(g authenticator.Grant) {
	u.Helper()
	u.p = must1[authenticator.Prepared](u.T)(u.Prepare(u.Context(), u.key, g))
}

func (u *user) create(g authenticator.Grant) {
	u.Helper()
	var err error
	_, u.p, err = u.CreatePrepared(u.Context(), u.key.KeySpec, g)
	must(u.T, err)
}

func (u *user) sign() {
	u.Helper()
	must1[[]byte](u.T)(u.p.Sign(u.Context(), [32]byte{1}))
}

func (u *user) typeAndSign() {
	u.Helper()
	must1[authenticator.Grant](u.T)(u.p.Verify(u.Context(), keystest.Hash("1234")))
	u.sign()
}

// request is one use of a key, in the parts before and after a person's gesture.
type request struct {
	name   string
	ticket bool // there is one, or else the PIN is typed
	before func(u *user, g authenticator.Grant)
	after  func(u *user)

	most      int // commands at the chip, 0 for any number
	mostAfter int // of them after the gesture
}

func requests() []request {
	return []request{
		{"sign in, ticket live", true, (*user).prepare, (*user).sign, 16, 6},
		{"register, ticket live", true, (*user).create, (*user).sign, 16, 6},
		{"sign in, PIN typed", false, (*user).prepare, (*user).typeAndSign, 0, 0},
		{"register, PIN typed", false, (*user).create, (*user).typeAndSign, 0, 0},
	}
}

// run does a request once. acted is called at the gesture.
func (r request) run(u *user, began, acted, ended func()) {
	u.Helper()
	var g authenticator.Grant
	if r.ticket {
		g = u.ticket()
	}
	began()
	r.before(u, g)
	acted()
	r.after(u)
	ended()
	must(u.T, u.p.Close())
}

// TestCommandsThroughTheKernel counts what reaches the chip, in the chip's own log, and
// holds the emulation of the resource manager to it.
func TestCommandsThroughTheKernel(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{LogTPM: true})
		return
	}
	t.Run("counts", func(t *testing.T) {
		leaving(t)
		kernel := newUser(t, must1[*Machine](t)(SetUp(t.Context(), kernelTPM{}.Opener(), new(memory))))
		software := startTPM(t)
		emulated := newUser(t, must1[*Machine](t)(SetUp(t.Context(), software.Opener(), new(memory))))
		emulatedLog := func() []tpm2.TPMCC { return make([]tpm2.TPMCC, software.Commands()) }

		var out strings.Builder
		table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "request\tkernel\tafter the gesture\temulation\tafter the gesture")
		for _, r := range requests() {
			before, after := r.count(kernel, chipLog(t))
			before2, after2 := r.count(emulated, emulatedLog)
			all, all2 := len(before)+len(after), len(before2)+len(after2)
			fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\n", r.name, all, len(after), all2, len(after2))
			t.Logf("%s: %s │ %s", r.name, words(before), words(after))
			if r.most > 0 && (all > r.most || len(after) > r.mostAfter) {
				t.Errorf("%s: want at most %d, %d of them after the gesture", r.name, r.most, r.mostAfter)
			}
			if all != all2 || len(after) != len(after2) {
				t.Errorf("%s: the emulation counts %d, %d of them after the gesture", r.name, all2, len(after2))
			}
		}
		must(t, table.Flush())
		t.Logf("commands that reach the chip:\n%s", out.String())
	})
}

// chipLog reads the commands in the chip's log. Now and then the kernel asks for
// random numbers, which nothing of ours does.
func chipLog(t *testing.T) func() []tpm2.TPMCC {
	return func() (commands []tpm2.TPMCC) {
		for _, code := range vm.Commands(t) {
			if cc := tpm2.TPMCC(code); cc != tpm2.TPMCCGetRandom {
				commands = append(commands, cc)
			}
		}
		return commands
	}
}

// count gives the commands that a request costs, by a log that grows.
func (r request) count(u *user, log func() []tpm2.TPMCC) (before, after []tpm2.TPMCC) {
	u.Helper()
	var began, acted, ended []tpm2.TPMCC
	r.run(u, func() { began = log() }, func() { acted = log() }, func() { ended = log() })
	return acted[len(began):], ended[len(acted):]
}
