//go:build e2e && linux

package clients

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/ctaptest/hidtest"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/socket"
	"github.com/localpasskey/localpasskey/internal/tpm/node"
	"github.com/localpasskey/localpasskey/test/vm"
)

// How often the daemon is killed: in each run of the tests, and what a campaign sets it to.
const (
	killRounds = 20
	roundsName = "LOCALPASSKEY_KILL_ROUNDS"
)

// The time a round lasts: so long that a few requests are answered in it.
const (
	shortestRound = 20 * time.Millisecond
	longestRound  = 1500 * time.Millisecond
)

// TestKillRounds kills the daemon at any moment while a program registers and signs in
// at its device and two more register, sign in, delete and change the PIN at its socket.
// What was acknowledged is there after the next start, nothing is half made, and the TPM
// holds no more than it should.
func TestKillRounds(t *testing.T) {
	rounds := killRounds
	if n, err := strconv.Atoi(os.Getenv(roundsName)); err == nil {
		rounds = n
	}
	if !vm.Inside() {
		vm.Run(t, vm.Config{
			Programs: machinePrograms(), Env: []string{roundsName + "=" + strconv.Itoa(rounds)},
			Limit: 5*time.Minute + time.Duration(rounds)*20*time.Second,
		})
		return
	}
	t.Run(fmt.Sprintf("%d rounds", rounds), func(t *testing.T) {
		m := start(t)
		m.setUp(t)
		k := &killer{machine: m, T: t, person: m.attendInProcess(t), pins: []string{machinePIN}, known: map[string]*passkey{}}
		for round := range rounds {
			k.round(round)
			if t.Failed() {
				break
			}
		}
		t.Logf("%d rounds: %d passkeys acknowledged, %d deletions, %d signatures, %d PIN changes; in flight when it was killed: %d requests, %d of them done; nothing lost, nothing left over",
			rounds, k.made, k.deleted, k.signed, k.changed, k.inFlight, k.doneUnheard)
		t.Logf("figures: daemon killed | %d | %d | 0 | 0 | %d in flight, %d of them done",
			rounds, k.made+k.deleted+k.signed+k.changed, k.inFlight, k.doneUnheard)
	})
}

// killer knows what the daemon has acknowledged.
type killer struct {
	*machine
	*testing.T

	person *ctaptest.Person

	mu    sync.Mutex
	known map[string]*passkey // by ID
	pins  []string            // the one in force; two where a change was cut short
	begun int                 // registrations under way
	next  int                 // number of the next account

	made, deleted, signed, changed, inFlight, doneUnheard int
}

// passkey is what was acknowledged of one.
type passkey struct {
	count    uint32 // of the last signature that arrived
	deleting bool   // a deletion is under way
}

// round lets the programs work, kills the daemon and looks what is left.
func (k *killer) round(number int) {
	k.Helper()
	node := k.machine.status(k.T).Node
	ctx, stop := context.WithCancel(k.Context())
	var programs sync.WaitGroup
	for _, open := range []func() (ctap.Authenticator, error){
		func() (ctap.Authenticator, error) {
			file, err := os.OpenFile(node, os.O_RDWR, 0)
			if err != nil {
				return nil, err
			}
			context.AfterFunc(ctx, func() { _ = file.Close() })
			c, err := hidtest.NewHID(hidtest.Hidraw{File: file})
			return ctap.NewClient(c), err
		},
		k.dial, k.dial,
	} {
		programs.Go(func() {
			a, err := open()
			for err == nil && ctx.Err() == nil {
				err = k.act(ctx, a)
			}
		})
	}
	time.Sleep(shortestRound + rand.N(longestRound-shortestRound))
	k.check(k.daemon.Process.Signal(unix.SIGKILL))
	_ = k.daemon.Wait() // It was killed.
	stop()
	programs.Wait()
	k.boot(k.T)
	k.attended(k.T)
	k.verify(number)
}

func (k *killer) check(err error) {
	k.Helper()
	check(k.T, err)
}

func (k *killer) dial() (ctap.Authenticator, error) {
	conn, err := socket.Dial(k.Context(), k.socket)
	if err != nil {
		return nil, err
	}
	return ctap.NewClient(conn), nil
}

// act does one thing. Its error is the connection's end; a refusal is none.
func (k *killer) act(ctx context.Context, a ctap.Authenticator) error {
	var err error
	switch n := rand.N(10); {
	case n < 4:
		err = k.register(ctx, a)
	case n < 8:
		err = k.signIn(ctx, a)
	case n < 9:
		err = k.remove(ctx, a)
	default:
		err = k.changePIN(ctx, a)
	}
	if answered(err) {
		return nil // refused, or the device is busy with another
	}
	return err
}

// answered tells a refusal from a connection that broke off, of which the person is told
// in words: what was asked for may be done.
func answered(err error) bool {
	_, status := errors.AsType[ctap.Status](err)
	_, broken := errors.AsType[*ctap.Problem](err)
	return status && !broken
}

func (k *killer) locked(do func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	do()
}

func (k *killer) register(ctx context.Context, a ctap.Authenticator) error {
	var account string
	k.locked(func() { k.next++; k.begun++; account = fmt.Sprintf("account %d", k.next) })
	id, err := register(ctx, a, account)
	if err == nil || answered(err) {
		k.locked(func() { k.begun-- })
	}
	if err == nil {
		k.locked(func() { k.known[string(id)] = &passkey{}; k.made++ })
	}
	return err
}

// pick chooses one of the passkeys that nobody is deleting.
func (k *killer) pick() (id string) {
	k.locked(func() {
		for candidate, p := range k.known { // in no order
			if !p.deleting {
				id = candidate
				return
			}
		}
	})
	return id
}

func (k *killer) signIn(ctx context.Context, a ctap.Authenticator) error {
	id := k.pick()
	if id == "" {
		return nil
	}
	count, err := signIn(ctx, a, []byte(id))
	if err == nil {
		k.locked(func() {
			k.signed++
			if p := k.known[id]; p != nil {
				p.count = max(p.count, count)
			}
		})
	}
	return err
}

func (k *killer) platform(a ctap.Authenticator) ctap.Platform {
	return ctap.Platform{Authenticator: a, Protocol: pinuv.Two}
}

func (k *killer) pin() secret.Bytes {
	var pin string
	k.locked(func() { pin = k.pins[0] })
	return secret.Of([]byte(pin))
}

func (k *killer) remove(ctx context.Context, a ctap.Authenticator) error {
	id := k.pick()
	if id == "" {
		return nil
	}
	token, err := k.platform(a).TokenWithPIN(ctx, k.pin(), ctap.PermissionCredentialManagement, rpID)
	if err != nil {
		return err
	}
	mine := false
	k.locked(func() {
		if p := k.known[id]; p != nil && !p.deleting { // or the other program is at it
			p.deleting, mine = true, true
		}
	})
	if !mine {
		return nil
	}
	_, err = ctap.ManageCredentials(ctx, a, token, ctap.DeleteCredential, &ctap.CredentialManagementParams{
		Credential: &ctap.Descriptor{ID: []byte(id), Type: ctap.PublicKeyType},
	})
	k.locked(func() {
		switch {
		case err == nil:
			delete(k.known, id)
			k.deleted++
		case answered(err):
			k.known[id].deleting = false
		}
	})
	return err
}

// changePIN changes it between two. The person follows when it is acknowledged.
func (k *killer) changePIN(ctx context.Context, a ctap.Authenticator) error {
	var from, to string
	k.locked(func() {
		if len(k.pins) == 1 { // or a change is under way
			from, to = k.pins[0], "other "+strconv.Itoa(k.next)
			k.pins = []string{from, to}
		}
	})
	if from == "" {
		return nil
	}
	err := k.platform(a).ChangePIN(ctx, secret.Of([]byte(from)), secret.Of([]byte(to)))
	k.locked(func() {
		switch {
		case err == nil:
			k.pins = []string{to}
			k.person.SetPINs(to)
			k.changed++
		case answered(err):
			k.pins = []string{from}
		}
	})
	return err
}

// verify compares what the daemon has with what it has acknowledged.
func (k *killer) verify(round int) {
	k.Helper()
	a, err := k.dial()
	k.check(err)
	k.findPIN(a)
	list, err := ctap.ReadPasskeys(k.Context(), a) // all pages: 1,000 rounds make more than one
	k.check(err)
	there := map[string]bool{}
	for _, p := range list {
		id := string(p.CredentialID)
		there[id] = true
		if k.known[id] == nil { // made, and the answer never heard
			k.known[id] = &passkey{}
			k.begun--
			k.doneUnheard++
		}
	}
	if k.begun < 0 {
		k.Errorf("round %d: %d passkeys more than were ever asked for", round, -k.begun)
	}
	k.inFlight += k.begun
	k.begun = 0
	for id, p := range k.known {
		switch {
		case there[id]:
			p.deleting = false
		case p.deleting:
			delete(k.known, id)
			k.inFlight++
			k.doneUnheard++
		default:
			k.Errorf("round %d: a passkey that was acknowledged is gone", round)
		}
	}
	for range 2 {
		k.trySome(a, round)
	}
	k.tidy(round)
}

// findPIN learns which PIN is in force where a change was cut short. A wrong one costs
// a try, which the right one gives back.
func (k *killer) findPIN(a ctap.Authenticator) {
	k.Helper()
	for _, pin := range slices.Backward(k.pins) {
		token, err := k.platform(a).TokenWithPIN(k.Context(), secret.Of([]byte(pin)), ctap.PermissionCredentialManagement, "")
		if errors.Is(err, ctap.PINInvalid) && len(k.pins) == 2 {
			continue
		}
		k.check(err)
		token.Wipe()
		if len(k.pins) == 2 {
			k.inFlight++
			if pin == k.pins[1] {
				k.doneUnheard++
			}
		}
		k.pins = []string{pin}
		k.person.SetPINs(pin)
		return
	}
	k.Fatalf("neither the old PIN nor the new one is right")
}

// trySome signs in once more: with a key that works, and a count that has grown.
func (k *killer) trySome(a ctap.Authenticator, round int) {
	k.Helper()
	id := k.pick()
	if id == "" {
		return
	}
	count, err := signIn(k.Context(), a, []byte(id))
	if p := k.known[id]; err != nil || count <= p.count {
		k.Errorf("round %d: sign-in %v, count %d after %d", round, err, count, p.count)
	} else {
		p.count = count
	}
}

// tidy looks at what the TPM holds, past the kernel's resource manager: one index of
// ours, no key and no session. The daemon's own requests are over by then.
func (k *killer) tidy(round int) {
	k.Helper()
	var held []byte
	eventually(k.T, "the TPM is looked into", func() bool {
		conn, err := node.Open("/dev/tpm0")(k.Context())
		if err != nil {
			return false // whoever has it open
		}
		defer conn.Close()
		held = nil
		for _, first := range []tpm2.TPMHandle{0x01810000, 0x02000000, 0x03000000, 0x80000000} {
			response, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: uint32(first), PropertyCount: 64}.Execute(conn)
			if err != nil {
				return false
			}
			list, err := response.CapabilityData.Data.Handles()
			k.check(err)
			held = append(held, byte(len(list.Handle)))
		}
		return true
	})
	if want := []byte{1, 0, 0, 0}; !bytes.Equal(held, want) {
		k.Errorf("round %d: the TPM holds %d indices, %d and %d sessions, %d objects", round, held[0], held[1], held[2], held[3])
	}
}
