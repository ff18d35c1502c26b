package enclave

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cloudflare/circl/group"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/macos/gesture"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// AAGUID names the model "LocalPasskey with a Secure Enclave" to relying parties: a
// random UUID, fixed for good.
func AAGUID() webauthn.AAGUID {
	return webauthn.AAGUID{
		0xd5, 0xd5, 0xc3, 0x65, 0xf7, 0xdb, 0x4c, 0x22,
		0xa0, 0x88, 0xad, 0x58, 0xf6, 0xe4, 0xc2, 0xf0,
	}
}

// maxMACBytes is ours: what a TPM takes at the least, so that both refuse the same.
const maxMACBytes = 1024

// Ours: the domain of hash-to-curve and of the derivation, fixed for good: another
// one gives sites other secrets.
const (
	curveDomain = "LocalPasskey-hmac-secret-v1-P256_XMD:SHA-256_SSWU_RO_"
	macInfo     = "LocalPasskey hmac-secret v1"
)

// Keys makes and uses keys in the Secure Enclave of this Mac.
type Keys struct {
	Security Security
	// Protection is what keys made from now on demand.
	Protection Protection
}

var (
	_ authenticator.Keys = Keys{}
	_ authenticator.PIN  = Keys{}
)

// Algorithms are what the chip signs with.
func (k Keys) Algorithms() []cose.Algorithm { return []cose.Algorithm{cose.ES256} }

// Create makes a key. It is nowhere but in the handle.
func (k Keys) Create(ctx context.Context, spec authenticator.KeySpec) (*authenticator.Key, error) {
	if err := checkSpec(ctx, spec); err != nil {
		return nil, err
	}
	made, err := k.Security.CreateKey(create(flags(spec.Binding, k.Protection)))
	if err != nil {
		return nil, gesture.Explain(err)
	}
	defer made.Release()
	h := handle{spec: spec}
	if h.public, err = made.Public(); err != nil {
		return nil, gesture.Explain(err)
	}
	if h.sealed, err = made.Attribute(tokenOID); err != nil {
		return nil, gesture.Explain(err)
	}
	if len(h.sealed) == 0 || len(h.sealed) > maxSealedBytes {
		return nil, noEnclave(errNotSealed)
	}
	key := &authenticator.Key{KeySpec: spec, Handle: h.encode()}
	public, err := parsePoint(h.public)
	if err != nil {
		return nil, err
	}
	if spec.Kind == authenticator.SigningKey {
		key.Public = public
	}
	return key, nil
}

// CreatePrepared is Create and Prepare: here nothing is saved by doing both at once.
func (k Keys) CreatePrepared(ctx context.Context, spec authenticator.KeySpec, by authenticator.Grant) (*authenticator.Key, authenticator.Prepared, error) {
	if err := k.checkGrant(spec, by); err != nil {
		return nil, nil, err
	}
	key, err := k.Create(ctx, spec)
	if err != nil {
		return nil, nil, err
	}
	p, err := k.Prepare(ctx, key, by)
	if err != nil {
		return nil, nil, err
	}
	return key, p, nil
}

// Prepare reads the handle. The key is opened when it is used: macOS wants the
// person's gesture for that.
func (k Keys) Prepare(ctx context.Context, key *authenticator.Key, by authenticator.Grant) (authenticator.Prepared, error) {
	if err := checkSpec(ctx, key.KeySpec); err != nil {
		return nil, err
	}
	if err := k.checkGrant(key.KeySpec, by); err != nil {
		return nil, err
	}
	h, err := decode(key)
	if err != nil {
		return nil, err
	}
	p := &prepared{security: k.Security, key: h}
	p.grant, _ = by.(*grant)
	return p, nil
}

func checkSpec(ctx context.Context, spec authenticator.KeySpec) error {
	kind := spec.Kind == authenticator.SigningKey || spec.Kind == authenticator.MACKey
	binding := spec.Binding == authenticator.PINBound || spec.Binding == authenticator.PresenceOnly
	if !kind || !binding {
		return fmt.Errorf("a key of kind %d and binding %d: %w", spec.Kind, spec.Binding, ctap.InvalidParameter)
	}
	if spec.Algorithm != 0 && spec.Algorithm != cose.ES256 {
		return fmt.Errorf("a key for algorithm %d: %w", spec.Algorithm, ctap.UnsupportedAlgorithm)
	}
	return ctx.Err()
}

// checkGrant: a grant, where there is one, is of a finger, for that relying party,
// and alive.
func (k Keys) checkGrant(spec authenticator.KeySpec, by authenticator.Grant) error {
	if by == nil {
		return nil
	}
	g, ok := by.(*grant)
	if !ok || g.rpIDHash != spec.RPIDHash || g.context() == 0 {
		return fmt.Errorf("the gesture is over, or was for another relying party: %w", ctap.PINAuthInvalid)
	}
	return nil
}

// grant is a gesture for one relying party.
type grant struct {
	rpIDHash [32]byte
	gesture  *gesture.Gesture
	until    time.Time
}

// Drop ends the gesture.
func (g *grant) Drop() { g.gesture.End() }

// context gives the LAContext while the grant lives, 0 afterwards.
func (g *grant) context() macos.ID {
	if time.Now().After(g.until) {
		g.gesture.End()
	}
	return g.gesture.Context()
}

// prepared is a key about to be used once.
type prepared struct {
	security Security
	key      handle

	mu    sync.Mutex
	grant *grant
	used  bool
}

// Verify takes up the gesture that ctx carries; there is no PIN to check.
func (p *prepared) Verify(ctx context.Context, _ secret.Bytes) (authenticator.Grant, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.key.spec.Binding != authenticator.PINBound || p.grant != nil {
		return nil, fmt.Errorf("this use of the key takes no finger: %w", ctap.NotAllowed)
	}
	g, err := granted(ctx, p.key.spec.RPIDHash)
	if err != nil {
		return nil, err
	}
	p.grant = g
	return g, nil
}

// granted makes a grant of the gesture that ctx carries.
func granted(ctx context.Context, rpIDHash [32]byte) (*grant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	made := gesture.From(ctx)
	if made == nil || made.Context() == 0 {
		return nil, fmt.Errorf("nobody has put a finger on Touch ID: %w", ctap.UVInvalid)
	}
	return &grant{rpIDHash: rpIDHash, gesture: made, until: time.Now().Add(authenticator.GrantLifetime)}, nil
}

// Sign signs a SHA-256 digest.
func (p *prepared) Sign(ctx context.Context, digest []byte) ([]byte, error) {
	if len(digest) != sha256.Size {
		return nil, fmt.Errorf("a digest of %d bytes: %w", len(digest), ctap.InvalidLength)
	}
	return p.use(ctx, authenticator.SigningKey, SignDigest, digest)
}

// MAC is a pseudorandom function of data: the data is hashed to a point (RFC 9380),
// the chip multiplies it with its key, HKDF makes 32 bytes of the result. A fixed
// point would be cheaper, and one captured result would then give every answer.
func (p *prepared) MAC(ctx context.Context, data []byte) (secret.Bytes, error) {
	if len(data) > maxMACBytes {
		return secret.Bytes{}, fmt.Errorf("a MAC of %d bytes: %w", len(data), ctap.InvalidLength)
	}
	point, err := group.P256.HashToElement(data, []byte(curveDomain)).MarshalBinary()
	if err != nil {
		return secret.Bytes{}, err
	}
	shared, err := p.use(ctx, authenticator.MACKey, Exchange, point)
	if err != nil {
		return secret.Bytes{}, err
	}
	defer clear(shared)
	out, err := hkdf.Key(sha256.New, shared, point, macInfo, sha256.Size)
	return secret.Of(out), err
}

// use opens the key, makes sure that it is the one, uses it and lets it go.
func (p *prepared) use(ctx context.Context, kind authenticator.KeyKind, o Operation, input []byte) ([]byte, error) {
	la, err := p.begin(ctx, kind)
	if err != nil {
		return nil, err
	}
	key, err := p.security.OpenKey(p.key.sealed, reopen(p.key.sealed, la))
	if err != nil {
		return nil, gesture.Explain(err)
	}
	defer key.Release()
	public, err := key.Public()
	if err != nil {
		return nil, gesture.Explain(err)
	}
	if !bytes.Equal(public, p.key.public) {
		return nil, &ctap.Problem{Status: ctap.InvalidCredential, What: "the key cannot be used", Cause: errOtherKey}
	}
	output, err := key.Use(o, input)
	if la != 0 && errors.Is(err, errAuthFailed()) {
		return nil, otherFingers(err)
	}
	return output, gesture.Explain(err)
}

func errAuthFailed() error {
	return &macos.Error{Domain: macos.DomainOSStatus, Code: macos.ErrSecAuthFailed}
}

// otherFingers: Touch ID has just known the finger, so it is the key that does not take it.
func otherFingers(cause error) error {
	return &ctap.Problem{
		Status: ctap.UVInvalid, What: "the key does not take this finger",
		Hint: "a passkey that takes only the fingers of its time (`setup --current-fingers`) is dead once one was added or removed: " +
			"delete it, and register anew at the service",
		Cause: cause,
	}
}

// begin spends the one use, and gives the LAContext to open the key with.
func (p *prepared) begin(ctx context.Context, kind authenticator.KeyKind) (macos.ID, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	switch {
	case p.used:
		return 0, errors.New("a prepared key was used already")
	case p.key.spec.Kind != kind:
		return 0, fmt.Errorf("a key of kind %d cannot do this: %w", p.key.spec.Kind, ctap.InvalidParameter)
	case p.key.spec.Binding == authenticator.PresenceOnly:
		p.used = true
		return 0, nil
	case p.grant == nil:
		return 0, fmt.Errorf("nobody has put a finger on Touch ID: %w", ctap.PUATRequired)
	}
	la := p.grant.context()
	if la == 0 {
		return 0, fmt.Errorf("the gesture is over: %w", ctap.PINAuthInvalid)
	}
	p.used = true
	return la, nil
}

// Close ends the use. Nothing is open in between.
func (p *prepared) Close() error { return nil }
