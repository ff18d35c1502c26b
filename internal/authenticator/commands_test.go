package authenticator_test

import (
	"context"
	"encoding/binary"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm"
	"github.com/localpasskey/localpasskey/internal/tpm/held"
)

// meter notes every command on its way to the TPM, and where among them the
// person's yes stands.
type meter struct {
	mu      sync.Mutex
	changed *sync.Cond
	entries []string
}

func newMeter() *meter {
	m := &meter{}
	m.changed = sync.NewCond(&m.mu)
	return m
}

func (m *meter) note(entry string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = append(m.entries, entry)
	m.changed.Broadcast()
}

// gesture waits until n commands have been sent, as a person is slower than a
// TPM, and then notes the yes.
func (m *meter) gesture(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.entries) < n {
		m.changed.Wait()
	}
	m.entries = append(m.entries, "|")
}

// take gives the notes since the last call.
func (m *meter) take() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken := strings.Join(m.entries, " ")
	m.entries = nil
	return taken
}

// on puts the meter between the core and its TPM.
func (m *meter) on(open tpm.Opener) tpm.Opener {
	return func(ctx context.Context) (tpm.Conn, error) {
		conn, err := open(ctx)
		return &metered{conn, m}, err
	}
}

type metered struct {
	tpm.Conn
	meter *meter
}

func (c *metered) Send(command []byte) ([]byte, error) {
	c.meter.note(commandName(tpm2.TPMCC(binary.BigEndian.Uint32(command[6:]))))
	return c.Conn.Send(command)
}

// commandName names the commands that a request may send.
func commandName(cc tpm2.TPMCC) string {
	const policyTicket tpm2.TPMCC = 0x172
	names := map[tpm2.TPMCC]string{
		tpm2.TPMCCStartAuthSession: "StartAuthSession", tpm2.TPMCCPolicySecret: "PolicySecret",
		policyTicket: "PolicyTicket", tpm2.TPMCCLoad: "Load", tpm2.TPMCCSign: "Sign",
		tpm2.TPMCCHMAC: "HMAC", tpm2.TPMCCCreate: "Create", tpm2.TPMCCCreateLoaded: "CreateLoaded",
		tpm2.TPMCCNVRead: "NV_Read",
	}
	if name, ok := names[cc]; ok {
		return name
	}
	return "unexpected"
}

// slowPerson says yes once before commands have been sent.
type slowPerson struct {
	meter  *meter
	before int
	finger bool // and does so with a finger
}

func (p *slowPerson) Approve(ctx context.Context, ask authenticator.Ask) (authenticator.Approval, error) {
	p.meter.gesture(p.before)
	if ask.Verify == nil {
		return authenticator.Approval{}, nil
	}
	if p.finger {
		return authenticator.Approval{}, ask.ByFinger(ctx)
	}
	return authenticator.Approval{}, ask.Verify(ctx, secret.Of([]byte("1234")))
}

// What reaches the TPM for each request. After the person's gesture (|) only the
// signature may be left, with a PIN typed for it the check of the PIN too.
func TestCommandCounts(t *testing.T) {
	m := newMeter()
	person := &slowPerson{meter: m}
	s := newStackOn(t, m.on, func(c *authenticator.Config) { c.User, c.Fingers = person, func() uint { return 0 } })
	s.machine.Hold(held.New(func() time.Duration { return time.Hour }))
	p := ctap.Platform{Authenticator: s.Channel(ctap.DoorSocket), Protocol: pinuv.Two}
	check(t, p.SetPIN(t.Context(), secret.Of([]byte("1234"))))
	ask := func(name string, before int, want string, do func() error) {
		t.Helper()
		m.take()
		person.before = before
		check(t, do())
		got := m.take()
		t.Logf("%-46s %s", name, got)
		if got != want {
			t.Errorf("%s: want %s", name, want)
		}
	}
	make1 := func(req *ctap.MakeCredentialRequest) func() error {
		return func() error { _, err := p.Authenticator.MakeCredential(t.Context(), req); return err }
	}
	get := func(req *ctap.GetAssertionRequest) func() error {
		return func() error { _, err := p.Authenticator.GetAssertion(t.Context(), req); return err }
	}
	none := register(t, p)
	none.AttestationFormatsPreference = []string{"none"}
	ask("register, attestation none", 1, "Create |", make1(none))
	withMAC := register(t, p)
	withMAC.Extensions = ctap.Extensions{"hmac-secret": cbor.Raw{0xF5}}
	ask("register, self attestation, hmac-secret", 4, "Create StartAuthSession PolicyTicket CreateLoaded | Sign", make1(withMAC))
	ask("register, self attestation", 3, "StartAuthSession PolicyTicket CreateLoaded | Sign", make1(register(t, p)))
	atPrompt := register(t, p)
	atPrompt.PINUVAuthParam, atPrompt.Options = nil, &ctap.Options{RK: new(true), UV: new(true)}
	ask("register, PIN typed at our prompt", 4, "NV_Read StartAuthSession StartAuthSession CreateLoaded | PolicySecret Sign", make1(atPrompt))
	ask("sign in, token live", 3, "StartAuthSession PolicyTicket Load | Sign",
		get(signIn(token(t, p, ctap.PermissionGetAssertion, rpID))))
	ask("sign in, PIN typed at our prompt", 4, "NV_Read StartAuthSession StartAuthSession Load | PolicySecret Sign",
		get(&ctap.GetAssertionRequest{RPID: rpID, ClientDataHash: hash("sign in")}))
	person.finger = true // the PIN has been typed; what is left for a finger is the same
	ask("sign in, a finger", 4, "NV_Read StartAuthSession StartAuthSession Load | PolicySecret Sign",
		get(&ctap.GetAssertionRequest{RPID: rpID, ClientDataHash: hash("sign in")}))
	ask("register, a finger", 4, "NV_Read StartAuthSession StartAuthSession CreateLoaded | PolicySecret Sign", make1(atPrompt))
	for name, do := range withoutTPM(t, s, p) {
		ask(name, 0, "", do)
	}
}

// withoutTPM are the requests that no command may be sent for.
func withoutTPM(t *testing.T, s *stack, p ctap.Platform) map[string]func() error {
	var known []ctap.Descriptor
	for c, err := range s.store.Each() {
		check(t, err)
		known = append(known, ctap.Descriptor{ID: c.ID, Type: ctap.PublicKeyType})
	}
	manage := token(t, p, ctap.PermissionCredentialManagement, "")
	return map[string]func() error{
		"get info": func() error { _, err := p.Authenticator.GetInfo(t.Context()); return err },
		"probe an allow-list": func() error {
			_, err := p.Authenticator.GetAssertion(t.Context(), &ctap.GetAssertionRequest{
				RPID: rpID, ClientDataHash: hash("sign in"), AllowList: known, Options: &ctap.Options{UP: new(false)},
			})
			return err
		},
		"enumerate": func() error {
			_, err := ctap.ManageCredentials(t.Context(), p.Authenticator, manage, ctap.EnumerateRPsBegin, nil)
			return err
		},
		"list": func() error {
			_, err := ctap.Call[ctap.ListResponse](t.Context(), p.Authenticator, ctap.CommandList, nil)
			return err
		},
	}
}

// An excluded credential is found without the TPM too; the person is asked.
func TestExcludeListNeedsNoTPM(t *testing.T) {
	m := newMeter()
	s := newStackOn(t, m.on, func(c *authenticator.Config) { c.User = &slowPerson{meter: m} })
	p := ctap.Platform{Authenticator: s.Channel(ctap.DoorSocket), Protocol: pinuv.Two}
	check(t, p.SetPIN(t.Context(), secret.Of([]byte("1234"))))
	req := register(t, p)
	_, err := p.Authenticator.MakeCredential(t.Context(), req)
	check(t, err)
	again := register(t, p)
	for c, err := range s.store.Each() {
		check(t, err)
		again.ExcludeList = append(again.ExcludeList, ctap.Descriptor{ID: c.ID, Type: ctap.PublicKeyType})
	}
	m.take()
	_, err = p.Authenticator.MakeCredential(t.Context(), again)
	wants(t, ctap.CredentialExcluded, err)
	if got := m.take(); got != "|" {
		t.Errorf("the exclude-list cost %s", got)
	}
}
