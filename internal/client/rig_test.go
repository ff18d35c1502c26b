package client_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"
	relyingparty "github.com/go-webauthn/webauthn/webauthn"

	"github.com/localpasskey/localpasskey/internal/client"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/swtpm"
)

const (
	pin    = "correct horse"
	origin = "https://login.example.com"
	rpID   = "example.com"
)

// rig is a client in front of a real authenticator, and a relying party that nobody here
// wrote.
type rig struct {
	*testing.T

	client *client.Client
	person *ctaptest.Person
	party  *relyingparty.WebAuthn
	asking int
	ctx    context.Context
}

func newRig(t *testing.T) *rig {
	t.Helper()
	chip, err := swtpm.Start(t.Context(), t.TempDir())
	r := &rig{T: t, person: ctaptest.NewPerson(ctaptest.Auto, 0, pin)}
	r.ok(err)
	t.Cleanup(func() { r.ok(chip.Close()) })
	d := daemon.New(daemon.Config{
		StorePath: filepath.Join(t.TempDir(), "passkeys.db"), OpenTPM: chip.Opener(), Version: "test",
		User: r.person, BuiltInUV: func() bool { return true }, Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(func() { r.ok(d.Close()) })
	caller := ctap.Caller{UID: os.Getuid(), Door: ctap.DoorSocket, Programs: []string{"localpasskey-browser", "chromium"}}
	r.ctx = ctap.WithCaller(t.Context(), caller)
	channel := d.Channel(caller)
	r.client = &client.Client{Authenticator: channel, Asking: func() { r.asking++ }}
	_, err = channel.Vendor(r.ctx, ctap.CommandSetup, nil)
	r.ok(err)
	r.ok(ctap.Platform{Authenticator: channel, Protocol: pinuv.Two}.SetPIN(r.ctx, secret.Of([]byte(pin))))
	r.party, err = relyingparty.New(&relyingparty.Config{
		RPID: rpID, RPDisplayName: "Example", RPOrigins: []string{origin}, AttestationPreference: protocol.PreferNoAttestation,
	})
	r.ok(err)
	return r
}

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("unexpected: %v", err)
	}
}

// account is a user of the relying party's.
type account struct {
	name        string
	credentials []relyingparty.Credential
}

func (a *account) WebAuthnID() []byte {
	id := sha256.Sum256([]byte(a.name))
	return id[:]
}
func (a *account) WebAuthnName() string                           { return a.name }
func (a *account) WebAuthnDisplayName() string                    { return "Dear " + a.name }
func (a *account) WebAuthnCredentials() []relyingparty.Credential { return a.credentials }

// page is the relying party's own.
func page() client.Page { return client.Page{Origin: origin} }

// words puts a relying party's options into the extension's words, with more of them.
func words(t *testing.T, options any, more map[string]any, into any) {
	t.Helper()
	encoded, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	if err := json.Unmarshal(encoded, &all); err != nil {
		t.Fatal(err)
	}
	maps.Copy(all, more)
	if encoded, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	if err := client.Decode(encoded, into); err != nil {
		t.Fatalf("%s: %v", encoded, err)
	}
}

// register registers an account, which must succeed at the relying party.
func (r *rig) register(a *account, more map[string]any) (*client.Credential, *relyingparty.Credential) {
	r.Helper()
	options, session, err := r.party.BeginRegistration(a, relyingparty.WithResidentKeyRequirement(protocol.ResidentKeyRequirementRequired), relyingparty.WithExtensions(relyingparty.WithExtensionInputs(extensionsOf(r.T, more))))
	r.ok(err)
	var o client.CreationOptions
	words(r.T, options.Response, more, &o)
	made, err := r.client.Create(r.ctx, page(), &o)
	r.ok(err)
	parsed, err := protocol.ParseCredentialCreationResponseBytes(encode(r.T, made))
	r.ok(err)
	credential, err := r.party.CreateCredential(a, *session, parsed)
	r.ok(err)
	a.credentials = append(a.credentials, *credential)
	return made, credential
}

// signIn signs an account in, or with none named whoever comes; the relying party must
// know them.
func (r *rig) signIn(a *account, named bool, more map[string]any) (*client.Credential, *relyingparty.Credential) {
	r.Helper()
	verification, extensions := relyingparty.WithUserVerification(protocol.VerificationRequired), relyingparty.WithAssertionExtensions(relyingparty.WithExtensionInputs(extensionsOf(r.T, more)))
	options, session, err := r.party.BeginDiscoverableLogin(verification, extensions)
	if named {
		options, session, err = r.party.BeginLogin(a, verification, extensions)
	}
	r.ok(err)
	var o client.RequestOptions
	words(r.T, options.Response, more, &o)
	got, err := r.client.Get(r.ctx, page(), &o)
	r.ok(err)
	parsed, err := protocol.ParseCredentialRequestResponseBytes(encode(r.T, got))
	r.ok(err)
	if named {
		credential, err := r.party.ValidateLogin(a, *session, parsed)
		r.ok(err)
		return got, credential
	}
	_, credential, err := r.party.ValidatePasskeyLogin(func(_, handle []byte) (relyingparty.User, error) {
		if !bytes.Equal(handle, a.WebAuthnID()) {
			return nil, errors.New("somebody else")
		}
		return a, nil
	}, *session, parsed)
	r.ok(err)
	return got, credential
}

// extensionsOf are the inputs among more options: the relying party takes no outputs that
// it has not asked for.
func extensionsOf(t *testing.T, more map[string]any) (inputs protocol.AuthenticationExtensions) {
	t.Helper()
	if err := json.Unmarshal(encode(t, more["extensions"]), &inputs); err != nil {
		t.Fatal(err)
	}
	return inputs
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// creation is a registration's options, changed by change.
func creation(change func(o map[string]any)) map[string]any {
	o := map[string]any{
		"rp": map[string]any{"name": "Example", "id": rpID}, "user": map[string]any{"id": "AQ", "name": "alice", "displayName": "Alice"},
		"challenge": "AAAAAAAAAAAAAAAAAAAAAA", "pubKeyCredParams": []any{map[string]any{"type": "public-key", "alg": -7}},
	}
	change(o)
	return o
}

// create registers without a relying party, and gives what the page would.
func (r *rig) create(p client.Page, o map[string]any) (*client.Credential, error) {
	r.Helper()
	var options client.CreationOptions
	words(r.T, o, nil, &options)
	return r.client.Create(r.ctx, p, &options)
}

// get signs in without one.
func (r *rig) get(p client.Page, o map[string]any) (*client.Credential, error) {
	r.Helper()
	var options client.RequestOptions
	words(r.T, o, map[string]any{"challenge": "AAAAAAAAAAAAAAAAAAAAAA"}, &options)
	return r.client.Get(r.ctx, p, &options)
}

// text is an ID as pages have it.
func text(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }
