package local_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/enclave/securitytest"
	"github.com/localpasskey/localpasskey/internal/local"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/macos/gesture"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/touchid"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// mac is a chip, a person with a finger, and where the store is.
type mac struct {
	*testing.T
	chip    *securitytest.Chip
	path    string
	next    macos.ID
	refuse  error
	reasons []string
	// buttons are what is pressed where a panel asks which account, by title.
	buttons []string
	panels  []touchid.Question
	// asking, where it is set, gets a value when the sheet is there; it stays until answer ends.
	asking, answer chan struct{}
	// demanded is for which protections somebody was to be asked.
	demanded []enclave.Protection
}

func newMac(t *testing.T) *mac {
	t.Helper()
	m := &mac{T: t, chip: securitytest.New(), path: filepath.Join(t.TempDir(), "passkeys.db")}
	t.Cleanup(func() {
		if m.chip.Open() != 0 || m.chip.Asked() != 0 {
			t.Errorf("%d keys are open, the system asked %d times on its own", m.chip.Open(), m.chip.Asked())
		}
	})
	return m
}

// Ask is the sheet.
func (m *mac) Ask(_ context.Context, reason string) (*gesture.Gesture, error) {
	m.reasons = append(m.reasons, reason)
	if m.asking != nil {
		m.asking <- struct{}{}
		<-m.answer
		m.asking = nil
	}
	if m.refuse != nil {
		return nil, m.refuse
	}
	m.next++
	m.chip.Touch(m.next)
	return gesture.New(m.next, m.chip.Invalidate), nil
}

// panel is what asks which account.
type panel struct{ *mac }

func (p panel) Ask(_ context.Context, q touchid.Question) (int, error) {
	p.panels = append(p.panels, q)
	press := p.buttons[0]
	p.buttons = p.buttons[1:]
	return slices.Index(q.Buttons, press), nil
}

func (m *mac) open() *local.Local {
	m.Helper()
	l := local.New(local.Config{
		StorePath: m.path, Security: m.chip, Version: "test",
		Person: func(p enclave.Protection) (authenticator.User, func() bool) {
			m.demanded = append(m.demanded, p)
			return touchid.User{Sensor: m, Choose: touchid.Chooser{Panel: panel{m}}.Choose}, func() bool { return true }
		},
		Log: slog.New(slog.DiscardHandler),
	})
	m.Cleanup(func() { _ = l.Close() })
	return l
}

func (m *mac) ready() *local.Local {
	m.Helper()
	l := m.open()
	if err := l.SetUp(m.Context(), enclave.BiometryAny); err != nil {
		m.Fatal(err)
	}
	return l
}

func me() ctap.Caller { return ctap.Caller{UID: os.Getuid(), Door: ctap.DoorSocket} }

func yes() *bool { b := true; return &b }

func hash(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

func registration(user string) *ctap.MakeCredentialRequest {
	return &ctap.MakeCredentialRequest{
		ClientDataHash: hash("registration"), RP: &ctap.RelyingParty{ID: "example.com"}, User: &ctap.User{ID: []byte(user), Name: user},
		Parameters: []ctap.Parameter{{Type: ctap.PublicKeyType, Algorithm: cose.ES256}}, Options: &ctap.Options{RK: yes(), UV: yes()},
	}
}

func signIn() *ctap.GetAssertionRequest {
	return &ctap.GetAssertionRequest{RPID: "example.com", ClientDataHash: hash("sign-in"), Options: &ctap.Options{UV: yes()}}
}

// verify checks an assertion as a relying party does.
func verify(t *testing.T, made webauthn.AuthenticatorData, a *ctap.GetAssertionResponse) webauthn.AuthenticatorData {
	t.Helper()
	data, err := webauthn.ParseAuthenticatorData(a.AuthData)
	if err != nil {
		t.Fatal(err)
	}
	public, err := made.Attested.PublicKey.ECDSA()
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(slices.Concat(a.AuthData, hash("sign-in")))
	if !ecdsa.VerifyASN1(public, digest[:], a.Signature) || data.Flags != webauthn.FlagUP|webauthn.FlagUV {
		t.Errorf("flags %#x, or the signature does not verify", data.Flags)
	}
	return data
}

func (m *mac) register(ch ctap.Authenticator, user string) webauthn.AuthenticatorData {
	m.Helper()
	r, err := ch.MakeCredential(m.Context(), registration(user))
	if err != nil {
		m.Fatal(err)
	}
	data, err := webauthn.ParseAuthenticatorData(r.AuthData)
	if err != nil {
		m.Fatal(err)
	}
	return data
}

// TestFinger: registered and signed in, each with one finger, and again after the
// program has ended.
func TestFinger(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	l := m.ready()
	ch := l.Channel(me())
	made := m.register(ch, "octocat")
	if made.Flags != webauthn.FlagUP|webauthn.FlagUV|webauthn.FlagAT || made.Attested.AAGUID != enclave.AAGUID() {
		t.Errorf("flags %#x, AAGUID %s", made.Flags, made.Attested.AAGUID)
	}
	first, err := ch.GetAssertion(t.Context(), signIn())
	if err != nil {
		t.Fatal(err)
	}
	count := verify(t, made, first).SignCount
	if want := []string{"create a passkey for example.com as octocat", "sign in to example.com as octocat"}; !slices.Equal(m.reasons, want) {
		t.Errorf("asked %q", m.reasons)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := m.open().Channel(me()).GetAssertion(t.Context(), signIn())
	if err != nil {
		t.Fatal(err)
	}
	if now := verify(t, made, again).SignCount; now <= count {
		t.Errorf("the count went from %d to %d", count, now)
	}
}

// TestSeveralAccounts: a sign-in that names no account is for the one that the person chose, by the
// finger that Touch ID asked for that one.
func TestSeveralAccounts(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	ch := m.ready().Channel(me())
	made := map[string]webauthn.AuthenticatorData{}
	for _, user := range []string{"ann", "bob", "cyd", "dan", "eve"} {
		made[user] = m.register(ch, user)
	}
	m.reasons = nil
	m.buttons = []string{"Show others", "Continue as ann"} // the newest come first
	answer, err := ch.GetAssertion(t.Context(), signIn())
	if err != nil {
		t.Fatal(err)
	}
	verify(t, made["ann"], answer)
	if string(answer.User.ID) != "ann" || answer.NumberOfCredentials > 1 || len(m.reasons) != 1 || m.reasons[0] != "sign in to example.com as ann" {
		t.Errorf("signed in as %q of %d, asked %q", answer.User.ID, answer.NumberOfCredentials, m.reasons)
	}
	m.buttons = []string{"Cancel"}
	if _, err := ch.GetAssertion(t.Context(), signIn()); !errors.Is(err, ctap.OperationDenied) || len(m.reasons) != 1 {
		t.Errorf("after a no: %v, asked %q", err, m.reasons)
	}
}

// TestRefused: without a finger nothing is signed and nothing made.
func TestRefused(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	ch := m.ready().Channel(me())
	made := m.register(ch, "octocat")
	used := m.chip.Calls("use")
	for code, want := range map[int]ctap.Status{
		macos.LAErrorUserCancel: ctap.OperationDenied, macos.LAErrorBiometryLockout: ctap.PUATRequired, macos.LAErrorAuthenticationFailed: ctap.PUATRequired,
	} {
		m.refuse = &macos.Error{Domain: macos.DomainLocalAuthentication, Code: code}
		if _, err := ch.GetAssertion(t.Context(), signIn()); ctap.StatusOf(err) != want {
			t.Errorf("LAError %d: %v, want %v", code, err, want)
		}
		if _, err := ch.MakeCredential(t.Context(), registration("hubot")); ctap.StatusOf(err) != want {
			t.Errorf("LAError %d, registration: %v, want %v", code, err, want)
		}
	}
	if m.chip.Calls("use") != used {
		t.Error("a key was used")
	}
	m.refuse = nil
	passkeys, err := ctap.ReadPasskeys(t.Context(), ch)
	if err != nil || len(passkeys) != 1 || !bytes.Equal(passkeys[0].CredentialID, made.Attested.CredentialID) {
		t.Errorf("%v, %v", passkeys, err)
	}
}

// TestManage: deleting takes a finger in place of a PIN; a reset ends everything.
func TestManage(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	ch := m.ready().Channel(me())
	one := m.register(ch, "octocat")
	m.register(ch, "hubot")
	platform := ctap.Platform{Authenticator: ch, Protocol: pinuv.Two}
	token, err := platform.TokenWithUV(t.Context(), ctap.PermissionCredentialManagement, "example.com")
	if err != nil {
		t.Fatal(err)
	}
	if last := m.reasons[len(m.reasons)-1]; last != "look through, change and DELETE your passkeys for example.com" {
		t.Errorf("asked %q", last)
	}
	if _, err := ctap.ManageCredentials(t.Context(), ch, token, ctap.DeleteCredential, &ctap.CredentialManagementParams{
		Credential: &ctap.Descriptor{ID: one.Attested.CredentialID, Type: ctap.PublicKeyType},
	}); err != nil {
		t.Fatal(err)
	}
	status, err := ctap.Call[ctap.StatusResponse](t.Context(), ch, ctap.CommandStatus, nil)
	if err != nil || !status.SetUp || status.Passkeys != 1 || status.Prompt != ctap.PromptTouchID || status.Problem != nil || !strings.Contains(status.Hardware, "a finger") {
		t.Errorf("%+v, %v", status, err)
	}
	copied, err := os.ReadFile(m.path)
	if err != nil || bytes.Contains(copied, []byte("example.com")) || bytes.Contains(copied, []byte("octocat")) {
		t.Errorf("%v, or the store names a site or account", err)
	}
	if err := ch.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if last := m.reasons[len(m.reasons)-1]; !strings.HasPrefix(last, "DESTROY all 1 passkeys for good: example.com") {
		t.Errorf("asked %q", last)
	}
	if _, err := ch.GetAssertion(t.Context(), signIn()); ctap.StatusOf(err) != ctap.NoCredentials {
		t.Errorf("after a reset: %v", err)
	}
	m.register(ch, "octocat")
}

// TestElsewhere: another Mac opens nothing and destroys nothing.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	l := m.ready()
	made := m.register(l.Channel(me()), "octocat")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	other := newMac(t)
	other.path = m.path
	stranger := other.open()
	status, err := ctap.Call[ctap.StatusResponse](t.Context(), stranger.Channel(me()), ctap.CommandStatus, nil)
	if err != nil || status.Problem == nil || !strings.Contains(status.Problem.What, "cannot open the store") {
		t.Errorf("%+v, %v", status, err)
	}
	if _, err := stranger.Channel(me()).GetAssertion(t.Context(), signIn()); err == nil {
		t.Error("another Mac signed")
	}
	if err := stranger.Close(); err != nil {
		t.Fatal(err)
	}
	back, err := m.open().Channel(me()).GetAssertion(t.Context(), signIn())
	if err != nil {
		t.Fatal(err)
	}
	verify(t, made, back)
}

// TestSetUp: once, with a Secure Enclave, and nothing works before.
func TestSetUp(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	l := m.open()
	status, err := ctap.Call[ctap.StatusResponse](t.Context(), l.Channel(me()), ctap.CommandStatus, nil)
	if err != nil || status.SetUp || status.Problem != nil {
		t.Errorf("%+v, %v", status, err)
	}
	if _, err := ctap.ReadPasskeys(t.Context(), l.Channel(me())); err == nil || !strings.Contains(err.Error(), "not set up") {
		t.Errorf("before set-up: %v", err)
	}
	m.chip.NoEnclave = true
	if err := l.SetUp(t.Context(), enclave.BiometryAny); err == nil {
		t.Error("set up without a Secure Enclave")
	}
	if _, err := os.Stat(m.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a store was left: %v", err)
	}
	m.chip.NoEnclave = false
	if _, err := l.Channel(me()).Vendor(t.Context(), ctap.CommandSetup, nil); err != nil {
		t.Fatal(err)
	}
	if err := l.SetUp(t.Context(), enclave.BiometryAny); err == nil {
		t.Error("set up twice")
	}
	if _, err := l.Channel(me()).GetInfo(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestCutShort: each call of Security fails once during set-up and reset. The next
// start works, and no passkey is there that could not sign.
func TestCutShort(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"create", "open", "public", "attribute", "use"} {
		for n := 1; n <= 3; n++ {
			m := newMac(t)
			l := m.open()
			m.chip.Fail(call, n)
			_ = l.SetUp(t.Context(), enclave.BiometryAny) // it may fail, or be over before
			m.chip.Heal()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = m.open()
			if _, err := os.Stat(m.path); errors.Is(err, os.ErrNotExist) {
				if err := l.SetUp(t.Context(), enclave.BiometryAny); err != nil {
					t.Fatal(err)
				}
			}
			ch := l.Channel(me())
			made := m.register(ch, "octocat")
			m.chip.Fail(call, n)
			failed := ch.Reset(t.Context())
			m.chip.Heal()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			a, err := m.open().Channel(me()).GetAssertion(t.Context(), signIn())
			switch {
			case failed != nil && err == nil:
				verify(t, made, a)
			case failed != nil || ctap.StatusOf(err) != ctap.NoCredentials:
				t.Errorf("%s %d failed: reset %v, sign-in %v", call, n, failed, err)
			}
		}
	}
}

// TestOthers: another user, another door and a closed store.
func TestOthers(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	l := m.ready()
	stranger := ctap.Caller{UID: os.Getuid() + 1, Door: ctap.DoorSocket}
	if _, err := l.Channel(stranger).Vendor(t.Context(), ctap.CommandStatus, nil); !errors.Is(err, ctap.NotAllowed) {
		t.Errorf("another user: %v", err)
	}
	if _, err := l.Channel(stranger).GetInfo(t.Context()); !errors.Is(err, ctap.NotAllowed) {
		t.Errorf("another user: %v", err)
	}
	hid := ctap.Caller{UID: os.Getuid(), Door: ctap.DoorHID}
	if _, err := l.Channel(hid).Vendor(t.Context(), ctap.CommandStatus, nil); !errors.Is(err, ctap.InvalidCommand) {
		t.Errorf("another door: %v", err)
	}
	if _, err := l.Attend(me()); err == nil {
		t.Error("an agent was taken up")
	}
	if _, err := l.Channel(me()).Vendor(t.Context(), ctap.CommandReconnect, nil); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Channel(me()).GetInfo(t.Context()); err == nil {
		t.Error("a closed store answered")
	}
}

// TestTurns: programs that are open at once have the store in turn, and count on where the
// other was. Only while one asks the person has the other to be told so.
func TestTurns(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	first := m.ready().Channel(me())
	second := m.open().Channel(me())
	made := m.register(first, "alice")
	last := uint32(0)
	for range 3 {
		for name, ch := range map[string]ctap.Authenticator{"first": first, "second": second} {
			got, err := ch.GetAssertion(t.Context(), signIn())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if count := verify(t, made, got).SignCount; count != last+1 {
				t.Errorf("%s: %d after %d", name, count, last)
			}
			last++
		}
	}
	// One's token is the other's to outlast.
	platform := ctap.Platform{Authenticator: first, Protocol: pinuv.Two}
	token, err := platform.TokenWithUV(t.Context(), ctap.PermissionCredentialManagement, "")
	if err != nil {
		t.Fatal(err)
	}
	defer token.Wipe()
	if _, err := ctap.ManageCredentials(t.Context(), first, token, ctap.GetCredsMetadata, nil); err != nil {
		t.Errorf("with a token, at once: %v", err)
	}

	m.asking, m.answer = make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := first.GetAssertion(t.Context(), signIn())
		ended <- err
	}()
	<-m.asking
	_, err = ctap.ReadPasskeys(t.Context(), second)
	if p, ok := errors.AsType[*ctap.Problem](err); !ok || p.Hint == "" {
		t.Errorf("while the first asks: %v", err)
	}
	close(m.answer)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if list, err := ctap.ReadPasskeys(t.Context(), second); err != nil || len(list) != 1 {
		t.Errorf("after that: %v, %v", list, err)
	}
}

// TestProtection: what was set up holds after a restart and a reset, for new keys and
// for who is asked, and the status says it.
func TestProtection(t *testing.T) {
	t.Parallel()
	for p, words := range map[enclave.Protection]string{
		enclave.BiometryAny: "a finger", enclave.BiometryCurrentSet: "enrolled when the key was made", enclave.UserPresence: "or the login password",
	} {
		m := newMac(t)
		l := m.open()
		if err := l.SetUp(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if err := l.Channel(me()).Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = m.open()
		m.register(l.Channel(me()), "octocat")
		status, err := ctap.Call[ctap.StatusResponse](t.Context(), l.Channel(me()), ctap.CommandStatus, nil)
		if err != nil || !strings.HasSuffix(status.Hardware, words) {
			t.Errorf("%+v, %v", status, err)
		}
		if !slices.Equal(m.demanded, []enclave.Protection{p, p}) {
			t.Errorf("asked for %v, want %v", m.demanded, p)
		}
		m.chip.FingersChanged = true
		if _, err := l.Channel(me()).GetAssertion(t.Context(), signIn()); (err != nil) != (p == enclave.BiometryCurrentSet) {
			t.Errorf("%s: with other fingers %v", words, err)
		}
	}
	m := newMac(t)
	if err := m.open().SetUp(t.Context(), 64); err == nil {
		t.Error("set up with a protection that is none")
	}
}
