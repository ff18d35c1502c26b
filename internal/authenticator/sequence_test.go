package authenticator_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/ctaptest/party"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/swtpm"
	"github.com/localpasskey/localpasskey/internal/tpm"
)

// TestLongSequence sends 10,000 requests over several channels, well formed and not, in no
// order: the authenticator goes on answering, and leaves nothing in the TPM.
func TestLongSequence(t *testing.T) {
	const requests, channels, seed = 10_000, 5, 1
	chip, err := swtpm.Start(t.Context(), t.TempDir())
	check(t, err)
	t.Cleanup(func() { check(t, chip.Close()) })
	s := newStackAt(t, chip.Opener())
	s.person.SetPINs(party.FirstPIN)
	before := inTPM(t, chip.Opener())
	w := &wire{core: s, random: rand.New(rand.NewPCG(seed, 0))}
	for range channels {
		w.channels = append(w.channels, s.Channel(ctap.DoorHID))
	}
	statuses := map[ctap.Status]int{}
	for i := range requests {
		if i%500 == 0 {
			w.visit(t, i%1000 == 0)
		}
		a := w.channels[w.random.IntN(channels)]
		answer := ctap.Serve(t.Context(), a, w.next())
		if len(answer) == 0 {
			t.Fatalf("request %d has no answer", i)
		}
		statuses[ctap.Status(answer[0])]++
		if info := ctap.Serve(t.Context(), a, []byte{byte(ctap.CommandGetInfo)}); i%50 == 0 && info[0] != 0 {
			t.Fatalf("after request %d getInfo answers %s", i, ctap.Status(info[0]))
		}
	}
	t.Logf("answers: %v", statuses)
	if len(statuses) < 12 || statuses[ctap.StatusOK] == 0 {
		t.Errorf("too few kinds of answers for this to have tried much: %v", statuses)
	}
	if after := inTPM(t, chip.Opener()); !slices.Equal(after, before) {
		t.Errorf("in the TPM are %v, before there were %v", after, before)
	}
}

// wire remembers what was sent, and sends it again, changed or not.
type wire struct {
	core     *stack
	channels []ctap.Authenticator
	random   *rand.Rand
	sent     [][]byte
}

// Exchange is a platform's request.
func (w *wire) Exchange(ctx context.Context, request []byte) ([]byte, error) {
	w.sent = append(w.sent, bytes.Clone(request))
	return ctap.Serve(ctx, w.channels[0], request), nil
}

// visit does what platforms do, from the beginning where the PIN may be locked by now.
func (w *wire) visit(t *testing.T, anew bool) {
	t.Helper()
	check(t, w.core.PowerCycle())
	w.sent = w.sent[:min(len(w.sent), 200)]
	a := ctap.NewClient(w)
	if anew {
		check(t, a.Reset(t.Context()))
	}
	r := &party.Rig{T: t, Device: ctaptest.Device{Person: w.core.person}, A: a, Protocol: pinuv.Two}
	if anew {
		r.SetPIN()
	}
	// Any of it may be refused by now, and is material all the same.
	token, err := r.Platform().TokenWithPIN(t.Context(), party.PIN(party.FirstPIN), ctap.PermissionMakeCredential|ctap.PermissionGetAssertion|ctap.PermissionCredentialManagement, party.Site)
	if err != nil {
		return
	}
	registration := party.Registration(party.Site, "alice")
	param := token.Authenticate(registration.ClientDataHash)
	registration.PINUVAuthParam, registration.PINUVAuthProtocol = &param, token.Protocol()
	_, _ = a.MakeCredential(t.Context(), registration)
	_, _ = a.GetAssertion(t.Context(), party.SignIn(party.Site))
	_, _ = a.GetAssertion(t.Context(), party.Silently(party.SignIn(party.Site)))
	_, _ = a.GetNextAssertion(t.Context())
	_, _ = ctap.ManageCredentials(t.Context(), a, token, ctap.EnumerateCredentialsBegin, party.SiteParams())
	_, _ = ctap.ManageCredentials(t.Context(), a, token, ctap.GetCredsMetadata, nil)
	_, _ = a.LargeBlobs(t.Context(), &ctap.LargeBlobsRequest{Get: new(uint), Offset: new(uint)})
	_ = a.Config(t.Context(), &ctap.ConfigRequest{Subcommand: ctap.ToggleAlwaysUV, Params: cbor.Raw{0xa0}})
	_ = a.Selection(t.Context())
}

// next is the next request: one that was sent before, as it was or not quite, or anything.
func (w *wire) next() []byte {
	r := w.random
	old := bytes.Clone(w.sent[r.IntN(len(w.sent))])
	if old[0] == byte(ctap.CommandReset) {
		return []byte{byte(ctap.CommandGetNextAssertion)} // visit resets; here it would end the rest too often
	}
	switch r.IntN(6) {
	case 0: // as it was, on whatever channel
	case 1: // another command's parameters
		old[0] = byte(r.IntN(0x10))
	case 2: // cut short
		old = old[:1+r.IntN(len(old))]
	case 3: // one byte more
		old = append(old, byte(r.IntN(256)))
	case 4: // some bits turned
		for range 1 + r.IntN(3) {
			old[r.IntN(len(old))] ^= 1 << r.IntN(8)
		}
	default: // nothing that anybody sent
		old = make([]byte, 1+r.IntN(80))
		for i := range old {
			old[i] = byte(r.IntN(256))
		}
	}
	if old[0] == byte(ctap.CommandReset) {
		old[0] = byte(ctap.CommandGetInfo)
	}
	return old
}

// inTPM counts what is in the TPM: objects, sessions loaded and saved, our indices.
func inTPM(t *testing.T, open tpm.Opener) (counts []int) {
	t.Helper()
	conn, err := open(t.Context())
	check(t, err)
	defer func() { check(t, conn.Close()) }()
	for _, first := range []uint32{0x80000000, 0x02000000, 0x03000000, 0x01810000} {
		rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: first, PropertyCount: 64}.Execute(conn)
		check(t, err)
		handles, err := rsp.CapabilityData.Data.Handles()
		check(t, err)
		n := 0
		for _, h := range handles.Handle {
			if uint32(h)>>24 == first>>24 {
				n++
			}
		}
		counts = append(counts, n)
	}
	return counts
}
