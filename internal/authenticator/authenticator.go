package authenticator

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/config"
	"github.com/localpasskey/localpasskey/internal/consent"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/finger"
	"github.com/localpasskey/localpasskey/internal/largeblob"
	"github.com/localpasskey/localpasskey/internal/management"
	"github.com/localpasskey/localpasskey/internal/u2f"
	"github.com/localpasskey/localpasskey/internal/webauthn"
)

// TPMAAGUID names the model "LocalPasskey with a TPM 2.0" to relying parties: a
// random UUID, fixed for good.
func TPMAAGUID() webauthn.AAGUID {
	return webauthn.AAGUID{
		0x7e, 0x18, 0x9a, 0x23, 0x45, 0x32, 0x4e, 0x63,
		0xa8, 0xcb, 0xaa, 0x03, 0xd6, 0xdd, 0x7e, 0x5e,
	}
}

// Config is what an Authenticator is made of. All but BuiltInUV is required.
type Config struct {
	Keys   Keys
	PIN    PIN
	Store  Store
	User   User
	Eraser Eraser
	// BuiltInUV tells whether User can be asked for the PIN right now; nil for
	// an authenticator without user verification of its own.
	BuiltInUV func() bool
	// Fingers counts those that were looked at since a PIN was typed; nil where no
	// finger can stand for the PIN. It wants BuiltInUV.
	Fingers func() uint
	AAGUID  webauthn.AAGUID
	Log     *slog.Logger
}

// Authenticator is one person's authenticator on one machine, shared by all
// doors.
type Authenticator struct {
	keys    Keys
	pin     PIN
	store   Store
	eraser  Eraser
	fingers func() uint
	aaguid  webauthn.AAGUID
	log     *slog.Logger
	gate    *consent.Gate
	manage  *management.Manager
	config  *config.Manager
	blobs   *largeblob.Manager
	u2f     *u2f.Manager
}

// New makes an authenticator, powered on.
func New(c Config) (*Authenticator, error) {
	gate, err := consent.New(consent.Config{
		PIN: c.PIN, User: c.User, Settings: c.Store, Trail: c.Store, Values: c.Store, BuiltInUV: c.BuiltInUV, Fingers: c.Fingers != nil, Account: onlyAccount(c.Store),
	})
	if err != nil {
		return nil, err
	}
	store := watched{Store: c.Store, gate: gate}
	a := &Authenticator{
		keys: c.Keys, pin: c.PIN, store: store, eraser: c.Eraser, fingers: c.Fingers,
		aaguid: c.AAGUID, log: c.Log, gate: gate,
		manage: &management.Manager{Store: store, Gate: gate, Capacity: maxCredentials},
		blobs:  &largeblob.Manager{Values: c.Store, Settings: c.Store, Gate: gate},
		config: &config.Manager{Settings: c.Store, Gate: gate, Fingers: c.Fingers != nil},
	}
	a.u2f = &u2f.Manager{Keys: bare{a}, Store: store, Settings: store, Gate: gate, AAGUID: c.AAGUID, Room: a.room}
	return a, nil
}

// watched has the gate note each change of passkeys before it is made: what platforms
// compare may change for nothing, never too late.
type watched struct {
	Store

	gate *consent.Gate
}

func (w watched) Put(c *Credential, replaced ...[]byte) error {
	if err := w.gate.Changing(); err != nil {
		return err
	}
	return w.Store.Put(c, replaced...)
}

func (w watched) Delete(id []byte, entries ...ctap.AuditEntry) error {
	if err := w.gate.Changing(); err != nil {
		return err
	}
	return w.Store.Delete(id, entries...)
}

// PowerCycle does what pulling and reinserting a security key does: see
// consent.Gate.
func (a *Authenticator) PowerCycle() error { return a.gate.PowerCycle() }

// Reinsert tells whether PINs are refused until a PowerCycle.
func (a *Authenticator) Reinsert() bool { return a.gate.Reinsert() }

// Channel is one channel of one door: a ctap.Authenticator.
type Channel struct {
	a    *Authenticator
	door ctap.Door

	mu      sync.Mutex
	pending pending
}

// pending is what the command before left for its "next" command; any other
// command discards it (CTAP 2.3 §6, stateful commands).
type pending struct {
	state any
	epoch uint64 // of the gate: what has been permitted since then is not this
	since time.Time
}

// nextTimeout is how long a "next" command is waited for (CTAP 2.3 §6.3).
const nextTimeout = 30 * time.Second

var _ ctap.Authenticator = (*Channel)(nil)

// Channel opens a channel of door d.
func (a *Authenticator) Channel(d ctap.Door) *Channel { return &Channel{a: a, door: d} }

// serve runs one command in its turn, after discarding what the command before
// left, and notes the causes that the wire does not tell.
func serve[R any](ctx context.Context, ch *Channel, name string, do func(context.Context) (R, error)) (R, error) {
	return continued(ctx, ch, name, func(ctx context.Context) (R, error) {
		ch.discard()
		return do(ctx)
	})
}

// continued is serve for a command that goes on where the one before stopped.
func continued[R any](ctx context.Context, ch *Channel, name string, do func(context.Context) (R, error)) (R, error) {
	var none R
	ctx, end, err := ch.a.gate.Begin(ctx)
	if err != nil {
		return none, err
	}
	defer end()
	response, err := do(ctx)
	if err != nil {
		ch.a.failed(ctx, name, err)
		return none, err
	}
	return response, nil
}

// failed notes the cause of what the wire calls OTHER.
func (a *Authenticator) failed(ctx context.Context, command string, err error) {
	if ctap.StatusOf(err) == ctap.Other {
		a.log.ErrorContext(ctx, "request failed", "command", command, "cause", err)
	}
}

// take gives what the command before left, nil where that is nothing, too old, or
// no longer permitted.
func (ch *Channel) take() any {
	ch.mu.Lock()
	p := ch.pending
	ch.pending = pending{}
	ch.mu.Unlock()
	if p.epoch == ch.a.gate.Epoch() && time.Since(p.since) <= nextTimeout {
		return p.state
	}
	closeState(p.state)
	return nil
}

// leave keeps state for the next command, for as long as that may take.
func (ch *Channel) leave(state any) {
	if state == nil {
		return
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	p := pending{state: state, epoch: ch.a.gate.Epoch(), since: time.Now()}
	ch.pending = p
	ch.a.gate.After(nextTimeout, func() {
		ch.mu.Lock()
		defer ch.mu.Unlock()
		if ch.pending == p {
			ch.pending = pending{}
			closeState(state)
		}
	})
}

// discard clears what the command before left.
func (ch *Channel) discard() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	closeState(ch.pending.state)
	ch.pending = pending{}
}

// closeState drops what must not wait for the garbage collector.
func closeState(state any) {
	if left, ok := state.(*remaining); ok {
		left.close()
	}
}

// ClientPIN is authenticatorClientPIN (CTAP 2.3 §6.5.5).
func (ch *Channel) ClientPIN(ctx context.Context, req *ctap.ClientPINRequest) (*ctap.ClientPINResponse, error) {
	return serve(ctx, ch, "clientPIN", func(ctx context.Context) (*ctap.ClientPINResponse, error) {
		return ch.a.gate.ClientPIN(ctx, req)
	})
}

// Selection is authenticatorSelection (CTAP 2.3 §6.9).
func (ch *Channel) Selection(ctx context.Context) error {
	_, err := serve(ctx, ch, "selection", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, ch.a.gate.Confirm(ctx, Ask{Operation: OperationSelect})
	})
	return err
}

// LargeBlobs is authenticatorLargeBlobs (CTAP 2.3 §6.10).
func (ch *Channel) LargeBlobs(ctx context.Context, req *ctap.LargeBlobsRequest) (*ctap.LargeBlobsResponse, error) {
	return continued(ctx, ch, "largeBlobs", func(context.Context) (*ctap.LargeBlobsResponse, error) {
		response, rest, err := ch.a.blobs.Handle(req, maxMessage(ch.door), ch.take())
		ch.leave(rest)
		return response, err
	})
}

// Config is authenticatorConfig (CTAP 2.3 §6.11).
func (ch *Channel) Config(ctx context.Context, req *ctap.ConfigRequest) error {
	_, err := serve(ctx, ch, "authenticatorConfig", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, ch.a.config.Handle(ctx, req)
	})
	return err
}

// CredentialManagement is authenticatorCredentialManagement (CTAP 2.3 §6.8).
func (ch *Channel) CredentialManagement(ctx context.Context, req *ctap.CredentialManagementRequest) (*ctap.CredentialManagementResponse, error) {
	return continued(ctx, ch, "credentialManagement", func(ctx context.Context) (*ctap.CredentialManagementResponse, error) {
		response, rest, err := ch.a.manage.Handle(ctx, req, ch.take())
		ch.leave(rest)
		return response, err
	})
}

// Vendor answers what is about the passkeys on the socket; the daemon answers the rest.
func (ch *Channel) Vendor(ctx context.Context, command ctap.Command, params cbor.Raw) (cbor.Raw, error) {
	switch {
	case ch.door != ctap.DoorSocket:
		return nil, ctap.InvalidCommand
	case command == finger.Command:
		return serve(ctx, ch, "fingerprint", func(ctx context.Context) (cbor.Raw, error) {
			return nil, ch.a.config.Fingerprint(ctx, params)
		})
	case !management.Changes(command):
		return ch.a.manage.Vendor(ctx, command, params)
	}
	return serve(ctx, ch, "management", func(ctx context.Context) (cbor.Raw, error) {
		return ch.a.manage.Vendor(ctx, command, params)
	})
}
