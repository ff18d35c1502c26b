//go:build e2e && linux

package clients

import (
	"context"
	"crypto/sha256"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/agent"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/ctaptest/hidtest"
	"github.com/localpasskey/localpasskey/internal/socket"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// openNode opens a node, until the test ends.
func openNode(t *testing.T, node string) hidtest.Hidraw {
	t.Helper()
	file, err := os.OpenFile(node, os.O_RDWR, 0)
	check(t, err)
	t.Cleanup(func() { _ = file.Close() }) // the device may have gone before
	return hidtest.Hidraw{File: file}
}

// channel opens a node and a channel on it.
func channel(t *testing.T, node string) *hidtest.HID {
	t.Helper()
	c, err := hidtest.NewHID(openNode(t, node))
	check(t, err)
	return c
}

// attendInProcess is an agent in this process, whose person is scripted.
func (m *machine) attendInProcess(t *testing.T) *ctaptest.Person {
	t.Helper()
	person := ctaptest.NewPerson(ctaptest.Auto, 0, machinePIN)
	desk := agent.NewDesk(person)
	ctx, cancel := context.WithCancel(context.Background())
	var attending sync.WaitGroup
	attending.Go(func() {
		defer desk.Close()
		for ctx.Err() == nil { // as often as there is a daemon
			_ = socket.Attend(ctx, m.socket, func() {}, desk.Answer)
			time.Sleep(50 * time.Millisecond) // the daemon that starts needs the processor
		}
	})
	t.Cleanup(func() { cancel(); attending.Wait() })
	m.attended(t)
	return person
}

func (m *machine) attended(t *testing.T) {
	t.Helper()
	eventually(t, "an agent attends", func() bool { return m.status(t).Prompt == "agent" })
}

// dial connects to the daemon, until the test ends.
func dial(t *testing.T, m *machine) *socket.Conn {
	t.Helper()
	conn, err := socket.Dial(t.Context(), m.socket)
	check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

const rpID = "example.com"

func hash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// register makes a passkey and gives its ID.
func register(ctx context.Context, a ctap.Authenticator, account string) ([]byte, error) {
	yes := true
	response, err := a.MakeCredential(ctx, &ctap.MakeCredentialRequest{
		ClientDataHash: hash("register"),
		RP:             &ctap.RelyingParty{ID: rpID},
		User:           &ctap.User{ID: []byte(account), Name: account},
		Parameters:     []ctap.Parameter{{Algorithm: cose.ES256, Type: ctap.PublicKeyType}},
		Options:        &ctap.Options{RK: &yes, UV: &yes},
	})
	if err != nil {
		return nil, err
	}
	data, err := webauthn.ParseAuthenticatorData(response.AuthData)
	if err != nil {
		return nil, err
	}
	return data.Attested.CredentialID, nil
}

// signIn uses a passkey and gives its sign count.
func signIn(ctx context.Context, a ctap.Authenticator, id []byte) (uint32, error) {
	yes := true
	response, err := a.GetAssertion(ctx, &ctap.GetAssertionRequest{
		RPID: rpID, ClientDataHash: hash("sign in"), Options: &ctap.Options{UV: &yes},
		AllowList: []ctap.Descriptor{{ID: id, Type: ctap.PublicKeyType}},
	})
	if err != nil {
		return 0, err
	}
	data, err := webauthn.ParseAuthenticatorData(response.AuthData)
	return data.SignCount, err
}
