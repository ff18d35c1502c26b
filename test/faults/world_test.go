//go:build linux

package faults

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/ctaptest/party"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/swtpm"
	"github.com/localpasskey/localpasskey/internal/swtpm/manufacturer"
)

// roundsName is what a campaign sets to have more rounds of each fault.
const roundsName = "LOCALPASSKEY_FAULT_ROUNDS"

// allTries is how many tries a PIN has.
const allTries = 8

// rounds is few, or what a campaign wants.
func rounds(few int) int {
	if n, err := strconv.Atoi(os.Getenv(roundsName)); err == nil {
		return n
	}
	return few
}

// figures are what a test has seen.
type figures struct {
	rounds, acknowledged, lost, left int
	statuses                         map[string]int
}

func newFigures() *figures { return &figures{statuses: map[string]int{}} }

// saw counts the answer to a request that met a fault.
func (f *figures) saw(err error) {
	name, _ := strings.CutPrefix(ctap.StatusOf(err).Error(), "CTAP2_ERR_")
	name, _ = strings.CutPrefix(name, "CTAP1_ERR_")
	name, _ = strings.CutPrefix(name, "CTAP2_")
	f.statuses[name]++
}

// log prints the line that a campaign's table is made of, and fails the test where
// something was lost or is left.
func (f *figures) log(t *testing.T, name string) {
	t.Helper()
	var seen []string
	for _, status := range slices.Sorted(maps.Keys(f.statuses)) {
		seen = append(seen, fmt.Sprintf("%s %d", status, f.statuses[status]))
	}
	t.Logf("figures: %s | %d | %d | %d | %d | %s", name, f.rounds, f.acknowledged, f.lost, f.left, strings.Join(seen, ", "))
	if f.lost != 0 || f.left != 0 {
		t.Errorf("%d lost, %d left over", f.lost, f.left)
	}
}

// world is a daemon with its TPM and its person, and what the daemon has acknowledged.
type world struct {
	*testing.T
	*figures

	d      *daemon.Daemon
	chip   *swtpm.TPM
	line   *line
	person *ctaptest.Person
	path   string // of the store

	known    map[string]*passkey // by ID
	pin      string
	alwaysUV bool
	blobs    []byte
	next     int        // number of the next account
	struck   tpm2.TPMCC // command that met the last fault
}

// passkey is what was acknowledged of one.
type passkey struct {
	party.Registered
	account string
	count   uint32 // of the last signature
}

// worldOn is a daemon that is not set up.
func worldOn(t *testing.T, chip *swtpm.TPM, storePath string) *world {
	w := &world{
		T: t, figures: newFigures(), chip: chip, line: &line{open: chip.Opener()},
		person: ctaptest.NewPerson(ctaptest.Auto, 0), path: storePath, known: map[string]*passkey{}, alwaysUV: true,
	}
	w.d = w.newDaemon(storePath)
	return w
}

// end closes the daemon and switches the TPM off.
func (w *world) end() {
	w.Helper()
	check(w, w.d.Close())
	check(w, w.chip.Close())
}

func (w *world) newDaemon(storePath string) *daemon.Daemon {
	return daemon.New(daemon.Config{
		StorePath: storePath, OpenTPM: w.line.Open, User: w.person,
		BuiltInUV: func() bool { return true }, Version: "1.2.3", Log: slog.New(slog.DiscardHandler),
	})
}

// populated is a world that is set up, with a PIN and a passkey, on a TPM that somebody
// has certified.
func populated(t *testing.T, storePath string) *world {
	t.Helper()
	state := t.TempDir()
	_, err := manufacturer.Make(t.Context(), state, t.TempDir())
	check(t, err)
	chip, err := swtpm.Start(t.Context(), state)
	check(t, err)
	w := worldOn(t, chip, storePath)
	t.Cleanup(w.end)
	check(t, setUp().run(t.Context(), w))
	w.setPIN()
	check(t, operations()[registering].run(t.Context(), w))
	return w
}

// inTempDir is where a store is to be made.
func inTempDir(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "data", "passkeys.db")
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// channel is one as the command line has it.
func (w *world) channel() ctap.Authenticator {
	return w.d.Channel(ctap.Caller{UID: os.Getuid(), Door: ctap.DoorSocket})
}

func (w *world) platform() ctap.Platform {
	return ctap.Platform{Authenticator: w.channel(), Protocol: pinuv.Two}
}

func (w *world) setPIN() {
	w.Helper()
	check(w, w.platform().SetPIN(w.Context(), party.PIN(party.FirstPIN)))
	w.pin = party.FirstPIN
	w.person.SetPINs(w.pin)
}

func (w *world) status() *ctap.StatusResponse {
	w.Helper()
	s, err := ctap.Call[ctap.StatusResponse](w.Context(), w.channel(), ctap.CommandStatus, nil)
	check(w, err)
	return s
}

// verify compares what there is with what was acknowledged. No try may be missing.
func (w *world) verify(when string) {
	w.Helper()
	s := w.status()
	if s.Problem != nil || s.PINRetries != allTries || s.AlwaysUV != w.alwaysUV || !s.PINSet {
		w.Errorf("%s: %+v, problem %v; want always-uv %v", when, s, s.Problem, w.alwaysUV)
	}
	w.lost += w.missing(when, w.channel())
	if got, err := readBlobs(w.Context(), w.channel()); err != nil || string(got) != string(w.blobs) {
		w.lost++
		w.Errorf("%s: %d bytes of large blobs, %v; want %d", when, len(got), err, len(w.blobs))
	}
	w.tidy(when)
}

// verifyTrail looks whether the audit trail tells of every passkey that was acknowledged.
func (w *world) verifyTrail(when string) {
	w.Helper()
	trail, err := ctap.ReadTrail(w.Context(), w.channel())
	check(w, err)
	w.verifyTrailOf(trail, when)
}

func (w *world) verifyTrailOf(trail *ctap.AuditResponse, when string) {
	w.Helper()
	told := map[string]bool{}
	for _, e := range trail.Entries {
		if e.Event == ctap.AuditCreated {
			told[e.Account] = true
		}
	}
	for _, p := range w.known {
		if !told[p.account] {
			w.lost++
			w.Errorf("%s: the trail says nothing of %s", when, p.account)
		}
	}
	if trail.Broken != 0 {
		w.lost++
		w.Errorf("%s: the trail is broken at %d: %s", when, trail.Broken, trail.Why)
	}
}

// missing tells how many of the passkeys that were acknowledged are not listed, or are
// others, and complains of them and of those that nobody was told of.
func (w *world) missing(when string, a ctap.Authenticator) int {
	w.Helper()
	list, err := ctap.ReadPasskeys(w.Context(), a)
	if err != nil {
		w.Errorf("%s: the list: %v", when, err)
	}
	lost := len(w.known)
	for _, p := range list {
		switch k := w.known[string(p.CredentialID)]; {
		case k == nil:
			w.Errorf("%s: a passkey that nobody was told of", when)
		case p.RPID != k.RPID || p.User.Name != k.account || p.SignCount < k.count:
			w.Errorf("%s: %+v is not what was acknowledged", when, p)
		default:
			lost--
		}
	}
	if lost != 0 {
		w.Errorf("%s: %d passkeys that were acknowledged are gone", when, lost)
	}
	return lost
}

// tidy looks at what the TPM holds: one index of ours, no key and no session.
func (w *world) tidy(when string) {
	w.Helper()
	const ours, loadedSessions, savedSessions, objects = 0x01810000, 0x02000000, 0x03000000, 0x80000000
	conn, err := w.chip.Opener()(w.Context())
	check(w, err)
	defer conn.Close()
	for from, want := range map[uint32]int{ours: 1, loadedSessions: 0, savedSessions: 0, objects: 0} {
		response, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: from, PropertyCount: 64}.Execute(conn)
		check(w, err)
		list, err := response.CapabilityData.Data.Handles()
		check(w, err)
		held := slices.DeleteFunc(list.Handle, func(h tpm2.TPMHandle) bool { return from == ours && h >= 0x01820000 })
		if len(held) != want {
			w.left += max(1, len(held)-want)
			w.Errorf("%s: the TPM holds %x", when, held)
		}
	}
}

// findPIN learns which PIN is in force where a change was cut short. A wrong one costs
// a try, which the right one gives back.
func (w *world) findPIN(candidates ...string) {
	w.Helper()
	for _, pin := range candidates {
		token, err := w.platform().TokenWithPIN(w.Context(), party.PIN(pin), ctap.PermissionCredentialManagement, "")
		if errors.Is(err, ctap.PINInvalid) {
			continue
		}
		check(w, err)
		token.Wipe()
		w.pin = pin
		w.person.SetPINs(pin)
		return
	}
	w.Fatal("no PIN is right")
}

// any gives a passkey, the same one for the same seed.
func (w *world) any(n int) *passkey {
	ids := slices.Sorted(maps.Keys(w.known))
	return w.known[ids[n%len(ids)]]
}

// works signs in with a passkey and checks the signature.
func (w *world) works(ctx context.Context, a ctap.Authenticator, p *passkey) error {
	response, err := a.GetAssertion(ctx, w.signIn(p))
	if err != nil {
		return err
	}
	return w.signed(p, response)
}
