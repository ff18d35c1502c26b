package u2f

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"github.com/localpasskey/localpasskey/internal/consent"
	"github.com/localpasskey/localpasskey/internal/credential"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// Key is a credential's key about to be used once.
type Key interface {
	consent.Use
	Sign(ctx context.Context, digest [32]byte) ([]byte, error)
}

// Keys makes and readies the keys of credentials.
type Keys interface {
	// New makes c's key and readies it.
	New(ctx context.Context, c *credential.Credential) (Key, error)
	// Ready readies the key of c, which is stored or about to be.
	Ready(ctx context.Context, c *credential.Credential) (Key, error)
}

// Store keeps credentials.
type Store interface {
	ByID(id []byte) (*credential.Credential, error)
	Put(c *credential.Credential, replaced ...[]byte) error
	NextSignCount(id []byte) (uint32, error)
	Used(id []byte, at time.Time)
}

// Manager answers U2F requests. Its caller holds Gate's turn.
type Manager struct {
	Keys     Keys
	Store    Store
	Settings consent.SettingsStore
	Gate     *consent.Gate
	AAGUID   webauthn.AAGUID
	// Room tells whether there is room for one more credential.
	Room func() error
}

// Offered tells whether U2F is spoken now: never while alwaysUv is on (§7.1).
func (m *Manager) Offered() bool {
	settings, err := m.Settings.Settings()
	return err == nil && !settings.AlwaysUV
}

// Handle answers one request. err is for the log; the answer stands in any case.
func (m *Manager) Handle(ctx context.Context, request []byte) (response []byte, err error) {
	a, w := parse(request)
	if w != wordOK {
		return answer(nil, w), nil
	}
	switch a.instruction {
	case insVersion:
		if len(a.data) != 0 {
			return answer(nil, wordLength), nil
		}
		return answer([]byte(version), wordOK), nil
	case insRegister:
		if len(a.data) != 2*parameterBytes {
			return answer(nil, wordLength), nil
		}
		return finish(m.register(ctx, [32]byte(a.data), [32]byte(a.data[parameterBytes:])))
	case insAuthenticate:
		return m.parseAuthenticate(ctx, a)
	default:
		return answer(nil, wordInstruction), nil
	}
}

// errHandle is a key handle that is not ours, or not the application's.
var errHandle = errors.New("not our key handle")

// finish picks the status word. A person who does not answer can be asked again; a
// no must end it, or platforms would ask for ever.
func finish(data []byte, err error) ([]byte, error) {
	switch {
	case err == nil:
		return answer(data, wordOK), nil
	case errors.Is(err, errHandle):
		return answer(nil, wordWrongData), nil
	case ctap.StatusOf(err) == ctap.UserActionTimeout:
		return answer(nil, wordConditions), nil
	default:
		return answer(nil, wordOther), err
	}
}

// named is how a prompt speaks of a site of which only a hash is known.
func named(application [32]byte) ctap.RelyingParty {
	return ctap.RelyingParty{ID: "a site without a name (U2F " + hex.EncodeToString(application[:4]) + ")"}
}

// register makes a credential (U2F Raw Message Formats §4).
func (m *Manager) register(ctx context.Context, challenge, application [32]byte) ([]byte, error) {
	if err := m.Room(); err != nil {
		return nil, err
	}
	c := &credential.Credential{
		ID: secret.Random(credential.IDBytes).Reveal(), AAGUID: m.AAGUID, Protection: credential.UVOptional, Created: time.Now(),
	}
	c.Key.KeySpec = credential.KeySpec{Kind: credential.SigningKey, Binding: credential.PresenceOnly, RPIDHash: application}
	key, err := m.ask(ctx, consent.OperationRegister, application, func(ctx context.Context) (Key, error) { return m.Keys.New(ctx, c) })
	if err != nil {
		return nil, err
	}
	certificate, err := certify(ctx, c.Key.Public, key)
	if err = errors.Join(err, key.Close()); err != nil {
		return nil, err
	}
	point := append(append([]byte{0x04}, c.Key.Public.X...), c.Key.Public.Y...)
	signed := bytes.Join([][]byte{{0x00}, application[:], challenge[:], c.ID, point}, nil)
	signature, err := m.sign(ctx, c, signed)
	if err != nil {
		return nil, err
	}
	if err := m.Store.Put(c); err != nil {
		return nil, err
	}
	m.note(ctx, ctap.AuditCreated, application)
	return bytes.Join([][]byte{{0x05}, point, {credential.IDBytes}, c.ID, certificate, signature}, nil), nil
}

// ask asks the person, without the PIN, while prepare readies the key.
func (m *Manager) ask(ctx context.Context, operation consent.Operation, application [32]byte, prepare func(context.Context) (Key, error)) (Key, error) {
	z, err := m.Gate.Authorize(&consent.Request{})
	if err != nil {
		return nil, err
	}
	defer z.Release()
	yes, err := consent.Obtain(ctx, m.Gate, z, consent.Ask{Operation: operation, RP: named(application)}, func(ctx context.Context) (held, error) {
		key, err := prepare(ctx)
		return held{key}, err
	})
	return yes.Use.Key, err
}

// held is a Key that may be none, as a consent.Use may.
type held struct{ Key }

// Close closes the key, if there is one.
func (h held) Close() error {
	if h.Key == nil {
		return nil
	}
	return h.Key.Close()
}

// sign signs with the key of c, without a further question.
func (m *Manager) sign(ctx context.Context, c *credential.Credential, message []byte) ([]byte, error) {
	key, err := m.Keys.Ready(ctx, c)
	if err != nil {
		return nil, err
	}
	signature, err := key.Sign(ctx, sha256.Sum256(message))
	return signature, errors.Join(err, key.Close())
}

// parseAuthenticate reads an authentication request (§5).
func (m *Manager) parseAuthenticate(ctx context.Context, a apdu) ([]byte, error) {
	const head = 2*parameterBytes + 1
	if len(a.data) < head || len(a.data) != head+int(a.data[head-1]) {
		return answer(nil, wordLength), nil
	}
	challenge, application := [32]byte(a.data), [32]byte(a.data[parameterBytes:])
	c, err := m.find(a.data[head:], application)
	if err != nil {
		return finish(nil, err)
	}
	switch a.control {
	case controlCheckOnly:
		return answer(nil, wordConditions), nil // it is ours
	case controlEnforce, controlDoNot:
		return finish(m.authenticate(ctx, c, challenge, a.control == controlEnforce))
	default:
		return answer(nil, wordWrongParameter), nil
	}
}

// find gives the credential a key handle names, if it may be used by presence alone.
func (m *Manager) find(handle []byte, application [32]byte) (*credential.Credential, error) {
	c, err := m.Store.ByID(handle)
	switch {
	case err != nil:
		return nil, err
	case c == nil, c.Key.RPIDHash != application, c.Key.Binding != credential.PresenceOnly, c.Protection == credential.UVRequired:
		return nil, errHandle
	}
	return c, nil
}

// authenticate signs in (§5), with presence or, where that is not wanted, without.
func (m *Manager) authenticate(ctx context.Context, c *credential.Credential, challenge [32]byte, presence bool) ([]byte, error) {
	application := c.Key.RPIDHash
	prepare := func(ctx context.Context) (Key, error) { return m.Keys.Ready(ctx, c) }
	key, err := Key(nil), error(nil)
	if presence {
		key, err = m.ask(ctx, consent.OperationSignIn, application, prepare)
	} else {
		key, err = prepare(ctx)
	}
	if err != nil {
		return nil, err
	}
	count, err := m.Store.NextSignCount(c.ID)
	if err != nil {
		return nil, errors.Join(err, key.Close())
	}
	flag := byte(0)
	if presence {
		flag = 1
	}
	head := binary.BigEndian.AppendUint32([]byte{flag}, count)
	signature, err := key.Sign(ctx, sha256.Sum256(bytes.Join([][]byte{application[:], head, challenge[:]}, nil)))
	if err = errors.Join(err, key.Close()); err != nil {
		return nil, err
	}
	event := ctap.AuditProbed
	if presence {
		event = ctap.AuditUsed
		m.Store.Used(c.ID, time.Now())
	}
	m.note(ctx, event, application)
	return append(head, signature...), nil
}

// note takes down what was done for a site.
func (m *Manager) note(ctx context.Context, event ctap.AuditEvent, application [32]byte) {
	m.Gate.Trail.Note(ctap.NewAuditEntry(ctx, event, named(application).ID, ""))
}
