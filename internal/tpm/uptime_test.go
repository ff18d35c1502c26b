package tpm

import (
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/keystest"
	"github.com/localpasskey/localpasskey/internal/tpm/pinindex"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// TestTicketsOnATPMThatHasBeenUp: the life of a ticket is counted from when the PIN
// was shown, however long the TPM has been up and the question open by then.
func TestTicketsOnATPMThatHasBeenUp(t *testing.T) {
	t.Parallel() // it mostly waits
	const lifetime = 2 * time.Second
	v := newVictim(t, startTPM(t))
	g := v.generation()
	time.Sleep(lifetime + time.Second)
	grantAfter := func(question time.Duration) {
		t.Helper()
		v.raw(func(tpm transport.TPM) {
			session := v.policy(tpm)
			cover := must1[*wire.Session](t)(wire.StartHMAC(tpm, v.srk.Salt()))
			cover.SetAuth(must1[[]byte](t)(g.authOf(keystest.Hash("1234"))))
			time.Sleep(question)
			ticket, err := g.index.Show(tpm, session, cover, rpA[:], lifetime)
			if err != nil {
				t.Fatalf("after a question of %v: %v", question, err)
			}
			key := v.load(tpm, v.bound)
			if err := sign(tpm, key, session); err != nil {
				t.Errorf("after a question of %v: %v", question, err)
			}
			if err := shows(v, tpm, g.index, ticket); err != nil {
				t.Errorf("after a question of %v, the ticket: %v", question, err)
			}
			time.Sleep(lifetime + time.Second)
			if err := shows(v, tpm, g.index, ticket); err == nil {
				t.Error("the ticket outlived its time")
			}
		})
	}
	grantAfter(0)
	grantAfter(lifetime + time.Second)
}

// shows shows a ticket to a fresh session.
func shows(v *victim, t transport.TPM, x *pinindex.Index, ticket *wire.Ticket) error {
	v.Helper()
	return wire.PolicyTicket(t, v.policy(t).Handle(), ticket, rpA[:], x.Name)
}
