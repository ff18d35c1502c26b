package tpm

import (
	"bytes"
	"context"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/problem"
	"github.com/localpasskey/localpasskey/internal/tpm/storage"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// maxMACBytes is the least that TPMs take in one TPM2_HMAC (Part 2 §10.4.8).
const maxMACBytes = 1024

// grant is a ticket of the TPM: proof that it checked the PIN for one relying party.
type grant struct {
	generation [16]byte
	rpIDHash   [32]byte

	mu     sync.Mutex
	ticket *wire.Ticket // nil when dropped
}

// Drop forgets the ticket.
func (g *grant) Drop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ticket != nil {
		g.ticket.Wipe()
		g.ticket = nil
	}
}

// show satisfies the policy session s. That the ticket is this relying party's and
// not too old is the TPM's to check; the comparisons here are for a clear error.
func (g *grant) show(t transport.TPM, s *wire.Session, of *generation, spec authenticator.KeySpec) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.ticket == nil:
		return fmt.Errorf("the grant was dropped: %w", ctap.PINAuthInvalid)
	case g.generation != of.id || g.rpIDHash != spec.RPIDHash:
		return fmt.Errorf("the grant is for another relying party or generation: %w", ctap.PINAuthInvalid)
	}
	err := wire.PolicyTicket(t, s.Handle(), g.ticket, spec.RPIDHash[:], of.index.Name)
	if errors.Is(err, tpm2.TPMRCExpired) || errors.Is(err, tpm2.TPMRCTicket) {
		return fmt.Errorf("PolicyTicket: %w: %w", ctap.PINAuthInvalid, err)
	}
	if err != nil {
		return fmt.Errorf("PolicyTicket: %w", err)
	}
	return nil
}

// Create makes a key in the TPM: one command. The TPM proves no PIN for it.
func (m *Machine) Create(ctx context.Context, spec authenticator.KeySpec) (*authenticator.Key, error) {
	if err := m.checkSpec(spec); err != nil {
		return nil, err
	}
	g := m.generation()
	var b storage.Blob
	err := m.converse(ctx, func(t transport.TPM) (err error) {
		b, err = m.srk.Create(t, g.template(spec))
		return err
	})
	if err != nil {
		return nil, err
	}
	return g.created(b, spec)
}

// CreatePrepared makes a key in the TPM and keeps it loaded for one use. Where the
// chip cannot do that in one command the key is made first and loaded last, because
// the resource manager swaps an open session around every command.
func (m *Machine) CreatePrepared(ctx context.Context, spec authenticator.KeySpec, by authenticator.Grant) (*authenticator.Key, authenticator.Prepared, error) {
	if err := m.checkSpec(spec); err != nil {
		return nil, nil, err
	}
	if !m.srk.CreatesLoaded() {
		return m.createAndPrepare(ctx, spec, by)
	}
	g := m.generation()
	var b storage.Blob
	p, err := m.ready(ctx, g, spec, by, func(t transport.TPM) (key tpm2.NamedHandle, err error) {
		b, key, err = m.srk.CreateLoaded(t, g.template(spec))
		return key, err
	})
	if err != nil {
		return nil, nil, err
	}
	key, err := g.created(b, spec)
	if err != nil {
		return nil, nil, errors.Join(err, p.Close())
	}
	return key, p, nil
}

// createAndPrepare is CreatePrepared in two steps.
func (m *Machine) createAndPrepare(ctx context.Context, spec authenticator.KeySpec, by authenticator.Grant) (*authenticator.Key, authenticator.Prepared, error) {
	key, err := m.Create(ctx, spec)
	if err != nil {
		return nil, nil, err
	}
	p, err := m.Prepare(ctx, key, by)
	if err != nil {
		return nil, nil, err
	}
	return key, p, nil
}

// template is the public area of a key that is what spec says.
func (g *generation) template(spec authenticator.KeySpec) tpm2.TPMTPublic {
	if spec.Kind == authenticator.MACKey {
		return storage.MACKey(g.policyOf(spec))
	}
	return storage.SigningKey(g.policyOf(spec), spec.Algorithm)
}

// created is asKey for what was just made.
func (g *generation) created(b storage.Blob, spec authenticator.KeySpec) (*authenticator.Key, error) {
	key, err := g.asKey(b, spec)
	if err != nil {
		return nil, fmt.Errorf("what the TPM has created is not what was asked for: %w", err)
	}
	return key, nil
}

// asKey makes the authenticator's key of b, if b is what spec says.
func (g *generation) asKey(b storage.Blob, spec authenticator.KeySpec) (key *authenticator.Key, err error) {
	key = &authenticator.Key{KeySpec: spec, Handle: b.Encode()}
	if spec.Kind == authenticator.MACKey {
		return key, b.MAC(g.policyOf(spec))
	}
	key.Public, err = b.Signing(g.policyOf(spec), spec.Algorithm)
	return key, err
}

// Algorithms are what the chip signs with.
func (m *Machine) Algorithms() []cose.Algorithm {
	if m.srk.SignsES384() {
		return []cose.Algorithm{cose.ES256, cose.ES384}
	}
	return []cose.Algorithm{cose.ES256}
}

func (m *Machine) checkSpec(spec authenticator.KeySpec) error {
	kind := spec.Kind == authenticator.SigningKey || spec.Kind == authenticator.MACKey
	binding := spec.Binding == authenticator.PINBound || spec.Binding == authenticator.PresenceOnly
	if !kind || !binding {
		return fmt.Errorf("a key of kind %d and binding %d: %w", spec.Kind, spec.Binding, ctap.InvalidParameter)
	}
	if spec.Algorithm != 0 && !slices.Contains(m.Algorithms(), spec.Algorithm) {
		return fmt.Errorf("a key for algorithm %d: %w", spec.Algorithm, ctap.UnsupportedAlgorithm)
	}
	return nil
}

// Prepare readies key for one use. What it loads is in the TPM until Close.
func (m *Machine) Prepare(ctx context.Context, key *authenticator.Key, by authenticator.Grant) (authenticator.Prepared, error) {
	if err := m.checkSpec(key.KeySpec); err != nil {
		return nil, err
	}
	g := m.generation()
	b, err := g.unwrap(key)
	if err != nil {
		return nil, err
	}
	return m.ready(ctx, g, key.KeySpec, by, func(t transport.TPM) (tpm2.NamedHandle, error) {
		return b.Load(t, m.srk)
	})
}

// loader brings a key into the TPM.
type loader func(t transport.TPM) (tpm2.NamedHandle, error)

// ready readies what load brings for one use, on a connection that stays open for it.
func (m *Machine) ready(ctx context.Context, g *generation, spec authenticator.KeySpec, by authenticator.Grant, load loader) (authenticator.Prepared, error) {
	ticket, ok := by.(*grant)
	if by != nil && !ok {
		return nil, fmt.Errorf("the grant is not of this hardware: %w", ctap.PINAuthInvalid)
	}
	m.tidy(ctx)
	conn, err := m.open(ctx)
	if err != nil {
		return nil, problem.Explain(err)
	}
	p := &prepared{machine: m, generation: g, spec: spec, conn: conn}
	if err := p.begin(wire.Patient(ctx, conn), ticket, load); err != nil {
		hangUp(conn)
		return nil, problem.Explain(err)
	}
	return p, nil
}

// unwrap decodes a handle and compares it with all that is known of its key.
func (g *generation) unwrap(key *authenticator.Key) (storage.Blob, error) {
	b, err := storage.Decode(key.Handle)
	if err != nil {
		return storage.Blob{}, fmt.Errorf("%w: %w", ctap.InvalidCredential, err)
	}
	is, err := g.asKey(b, key.KeySpec)
	if err != nil {
		return storage.Blob{}, fmt.Errorf("%w: %w", ctap.InvalidCredential, err)
	}
	if len(key.Public.X) != 0 && !samePoint(key.Public, is.Public) {
		return storage.Blob{}, fmt.Errorf("%w: a key handle is another credential's", ctap.InvalidCredential)
	}
	return b, nil
}

func samePoint(a, b cose.Key) bool {
	return a.Algorithm == b.Algorithm && a.Curve == b.Curve && bytes.Equal(a.X, b.X) && bytes.Equal(a.Y, b.Y)
}

// prepared is a loaded key, the session for its one use, and where the PIN is yet
// to be shown, the salted session for that.
type prepared struct {
	machine    *Machine
	generation *generation
	spec       authenticator.KeySpec
	conn       Conn
	key        tpm2.NamedHandle
	policy     *wire.Session // nil after use
	cover      *wire.Session // nil unless Verify can be called
}

// begin runs the commands that need no person. The key is loaded last: the resource
// manager swaps whatever is loaded around every command.
func (p *prepared) begin(t transport.TPM, by *grant, load loader) (err error) {
	var salt *wire.Salt
	if p.spec.Kind == authenticator.MACKey {
		salt = p.machine.srk.Salt() // The result is a secret: it crosses the bus encrypted.
	}
	if p.spec.Binding == authenticator.PresenceOnly {
		p.policy, err = p.generation.index.Prove(t, salt)
	} else {
		p.policy, err = wire.StartPolicy(t, salt)
	}
	if err != nil {
		return err
	}
	if salt != nil {
		p.policy.EncryptCommand()
		p.policy.EncryptResponse()
	}
	if p.spec.Binding == authenticator.PINBound {
		if by != nil {
			err = by.show(t, p.policy, p.generation, p.spec)
		} else {
			p.cover, err = wire.StartHMAC(t, p.machine.srk.Salt())
		}
		if err != nil {
			return err
		}
	}
	p.key, err = load(t)
	return err
}

// Verify shows the PIN, or where pinHash is zero the one that is held, to the session that
// the key is going to be used with.
func (p *prepared) Verify(ctx context.Context, pinHash secret.Bytes) (authenticator.Grant, error) {
	if p.cover == nil {
		return nil, fmt.Errorf("this use of the key takes no PIN: %w", ctap.NotAllowed)
	}
	if p.generation.pin == pinUnset {
		return nil, ctap.PINNotSet
	}
	auth, err := p.machine.shown(p.generation, pinHash)
	if err != nil {
		return nil, err
	}
	defer clear(auth)
	p.cover.SetAuth(auth)
	ticket, err := p.generation.index.Show(wire.Patient(ctx, p.conn), p.policy, p.cover, p.spec.RPIDHash[:], authenticator.GrantLifetime)
	p.machine.learn(p.generation, pinHash, auth, err)
	if err != nil {
		return nil, problem.Explain(err)
	}
	p.cover.Wipe()
	p.cover = nil
	return &grant{generation: p.generation.id, rpIDHash: p.spec.RPIDHash, ticket: ticket}, nil
}

// Sign signs a digest. The session ends with it.
func (p *prepared) Sign(ctx context.Context, digest []byte) ([]byte, error) {
	auth, err := p.use(authenticator.SigningKey)
	if err != nil {
		return nil, err
	}
	rsp, err := tpm2.Sign{
		KeyHandle:  auth,
		Digest:     tpm2.TPM2BDigest{Buffer: digest},
		Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull},
	}.Execute(wire.Patient(ctx, p.conn))
	if err != nil {
		return nil, p.refused("Sign", err)
	}
	signature, err := rsp.Signature.Signature.ECDSA()
	if err != nil {
		return nil, fmt.Errorf("Sign: %w", err)
	}
	return asn1.Marshal(struct{ R, S *big.Int }{
		new(big.Int).SetBytes(signature.SignatureR.Buffer),
		new(big.Int).SetBytes(signature.SignatureS.Buffer),
	})
}

// MAC computes an HMAC-SHA-256. The session ends with it.
func (p *prepared) MAC(ctx context.Context, data []byte) (secret.Bytes, error) {
	auth, err := p.use(authenticator.MACKey)
	if err != nil {
		return secret.Bytes{}, err
	}
	if len(data) > maxMACBytes {
		return secret.Bytes{}, fmt.Errorf("a MAC of %d bytes: %w", len(data), ctap.InvalidLength)
	}
	rsp, err := tpm2.Hmac{
		Handle:  auth,
		Buffer:  tpm2.TPM2BMaxBuffer{Buffer: data},
		HashAlg: tpm2.TPMAlgSHA256,
	}.Execute(wire.Patient(ctx, p.conn))
	if err != nil {
		return secret.Bytes{}, p.refused("HMAC", err)
	}
	return secret.Of(rsp.OutHMAC.Buffer), nil
}

// use gives the key as what authorizes its one use.
func (p *prepared) use(kind authenticator.KeyKind) (tpm2.AuthHandle, error) {
	switch {
	case p.policy == nil:
		return tpm2.AuthHandle{}, errors.New("a prepared key was used already")
	case p.spec.Kind != kind:
		return tpm2.AuthHandle{}, fmt.Errorf("a key of kind %d cannot do this: %w", p.spec.Kind, ctap.InvalidParameter)
	}
	auth := tpm2.AuthHandle{Handle: p.key.Handle, Name: p.key.Name, Auth: p.policy}
	p.policy = nil
	return auth, nil
}

// refused explains why the TPM did not use the key.
func (p *prepared) refused(command string, err error) error {
	switch {
	case errors.Is(err, tpm2.TPMRCExpired):
		return fmt.Errorf("%s: the grant has expired: %w: %w", command, ctap.PINAuthInvalid, err)
	case errors.Is(err, tpm2.TPMRCPolicyFail) && p.spec.Binding == authenticator.PINBound:
		return fmt.Errorf("%s: the PIN was not shown: %w: %w", command, ctap.PUATRequired, err)
	default:
		return problem.Explain(fmt.Errorf("%s: %w", command, err))
	}
}

// Close ends the use: what was loaded leaves the TPM.
func (p *prepared) Close() error {
	if p.cover != nil {
		p.cover.Wipe()
	}
	return p.conn.Close()
}
