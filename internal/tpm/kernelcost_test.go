//go:build e2e && linux

package tpm

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/keystest"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/policy"
	"github.com/localpasskey/localpasskey/internal/tpm/storage"
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
	must1[[]byte](u.T)(u.p.Sign(u.Context(), make([]byte, 32)))
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

// rounds is how often each is timed.
const rounds = 101

// TestLatencyThroughTheKernel times what a person waits for after the gesture, against
// the least that any authenticator on this chip and this kernel could do. Times are
// shown and nothing is demanded: the machine may be busy.
func TestLatencyThroughTheKernel(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{})
		return
	}
	t.Run("ratios", func(t *testing.T) {
		leaving(t)
		u := newUser(t, must1[*Machine](t)(SetUp(t.Context(), kernelTPM{}.Opener(), new(memory))))
		shared, alone := bareSign(u, kernelTPM{}.Opener()), bareSign(u, kernelTPM{}.Bare())
		took := map[string][]time.Duration{}
		note := func(what string, since time.Time) { took[what] = append(took[what], time.Since(since)) }
		const base, bare = "TPM2_Sign, key loaded, /dev/tpmrm0", "TPM2_Sign, key loaded, /dev/tpm0"
		names := []string{bare, base}
		for _, r := range requests() {
			names = append(names, r.name+", after the gesture", r.name+", in all")
		}
		for range rounds {
			began := time.Now()
			shared()
			note(base, began)
			began = time.Now()
			alone()
			note(bare, began)
			for _, r := range requests() {
				var began, acted time.Time
				r.run(u, func() { began = time.Now() }, func() { acted = time.Now() }, func() {
					note(r.name+", after the gesture", acted)
					note(r.name+", in all", began)
				})
			}
		}
		t.Logf("medians of %d rounds:\n%s", rounds, ratios(names, took, base))
	})
}

// bareSign gives TPM2_Sign with a key that stays loaded and wants no PIN.
func bareSign(u *user, open Opener) func() {
	u.Helper()
	conn := must1[Conn](u.T)(open(u.Context()))
	u.Cleanup(func() { must(u.T, conn.Close()) })
	template := storage.SigningKey(policy.Digest{}, cose.ES256)
	template.ObjectAttributes.UserWithAuth = true
	_, key, err := u.srk.CreateLoaded(conn, template)
	must(u.T, err)
	u.Cleanup(func() { // for /dev/tpm0, where closing frees nothing
		_, err := tpm2.FlushContext{FlushHandle: key.Handle}.Execute(conn)
		must(u.T, err)
	})
	return func() { must(u.T, sign(conn, key, tpm2.PasswordAuth(nil))) }
}

// ratios is a table of medians, over that of base.
func ratios(names []string, took map[string][]time.Duration, base string) string {
	median := func(name string) time.Duration {
		slices.Sort(took[name])
		return took[name][len(took[name])/2]
	}
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, name := range names {
		aim := ""
		ratio := float64(median(name)) / float64(median(base))
		if name == "sign in, ticket live, after the gesture" {
			aim = fmt.Sprintf("≤ 1.5 %s", map[bool]string{true: "met", false: "NOT MET"}[ratio <= 1.5])
		}
		fmt.Fprintf(table, "%s\t%d µs\t%.2f ×\t%s\n", name, median(name).Microseconds(), ratio, aim)
	}
	_ = table.Flush() // to memory
	return out.String()
}
