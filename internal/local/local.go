package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/enclave"
	"github.com/localpasskey/localpasskey/internal/store"
)

// Config is what a Local is made of.
type Config struct {
	// StorePath is the store's file, an absolute name.
	StorePath string
	Security  enclave.Security
	// Person gives who is asked, and whether they can be asked now, for keys that
	// demand this.
	Person  func(p enclave.Protection) (user authenticator.User, canAsk func() bool)
	Version string
	Log     *slog.Logger
	// Rest is how long after a request the store is closed, for other programs to have
	// their turn; 0 for the usual time.
	Rest time.Duration
}

// usualRest is ours: longer than there is between a token and the command that it is for,
// and shorter than the store waits for another program.
const usualRest = 300 * time.Millisecond

// Local is one person's authenticator, in this program.
type Local struct {
	Config

	mu     sync.Mutex
	opened *opened // nil while it is closed
	using  int     // requests under way
	rest   *time.Timer
	closed bool
}

// opened is a store whose key this Mac's Secure Enclave makes.
type opened struct {
	store  *store.Store
	ledger *ledger
	core   *authenticator.Authenticator
}

// New makes a Local. It touches nothing yet.
func New(c Config) *Local { return &Local{Config: c} }

// SetUp makes the store and its key; the keys of passkeys will demand p. It fails
// where there is a store already, and where this Mac has no Secure Enclave.
func (l *Local) SetUp(ctx context.Context, p enclave.Protection) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.exists() {
		return &ctap.Problem{Status: ctap.NotAllowed, What: "LocalPasskey is set up already", Hint: "`localpasskey reset` begins anew without the passkeys"}
	}
	if c := enclave.Check(l.Security); !c.Enclave {
		return c.Problem
	}
	err := l.openLocked(ctx, p)
	l.restSoon()
	return err
}

// exists tells whether there is a store.
func (l *Local) exists() bool {
	_, err := os.Lstat(l.StorePath)
	return !errors.Is(err, fs.ErrNotExist)
}

// reach gives what is open, opening it first. It stays open until done was called.
func (l *Local) reach(ctx context.Context) (o *opened, done func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, nil, store.ErrClosed
	case l.opened != nil:
	case !l.exists():
		return nil, nil, notSetUp()
	default:
		if err := l.openLocked(ctx, 0); err != nil {
			return nil, nil, err
		}
	}
	l.using++
	return l.opened, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.using--
		l.restSoon()
	}, nil
}

// restSoon has the store closed in a while, unless it is in use then. The caller holds mu.
func (l *Local) restSoon() {
	if l.rest != nil {
		l.rest.Stop()
	}
	l.rest = time.AfterFunc(cmp.Or(l.Rest, usualRest), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.using > 0 {
			return
		}
		if err := l.release(); err != nil {
			l.Log.Error("cannot close the store", "cause", err)
		}
	})
}

// release closes the store, if it is open. The caller holds mu.
func (l *Local) release() error {
	o := l.opened
	l.opened = nil
	if o == nil {
		return nil
	}
	o.ledger.key.Wipe()
	return errors.Join(o.core.PowerCycle(), o.store.Close())
}

func notSetUp() error {
	return &ctap.Problem{Status: ctap.NotAllowed, What: "LocalPasskey is not set up", Hint: "run `localpasskey setup`"}
}

// openLocked opens the store; a new one, whose keys are to demand fresh, gets its key
// first. The caller holds mu.
func (l *Local) openLocked(ctx context.Context, fresh enclave.Protection) error {
	s, err := store.Open(l.StorePath)
	if err != nil {
		return err
	}
	o := &opened{store: s, ledger: &ledger{security: l.Security, file: s.Ledger()}}
	err = o.ledger.load(ctx, fresh)
	if err == nil {
		err = s.Unlock(o.ledger.key, o.ledger.generation)
	}
	if err == nil {
		keys := o.ledger.keys()
		user, canAsk := l.Person(keys.Protection)
		o.core, err = authenticator.New(authenticator.Config{
			Keys: keys, PIN: keys, Store: s, User: user, Eraser: o, BuiltInUV: canAsk, AAGUID: enclave.AAGUID(), Log: l.Log,
		})
	}
	if err != nil {
		return errors.Join(err, s.Close())
	}
	l.opened = o
	return nil
}

// Erase makes another key for the store, which ends the one before, and empties it.
func (o *opened) Erase(ctx context.Context) error {
	entry := ctap.NewAuditEntry(ctx, ctap.AuditReset, "", "")
	if count, err := o.store.Count(); err == nil {
		entry.Detail = fmt.Sprintf("%d passkeys destroyed", count)
	}
	if err := o.ledger.renew(ctx, o.ledger.protection); err != nil {
		return err
	}
	return o.store.Erase(o.ledger.key, o.ledger.generation, entry)
}

// Close closes the store. Requests that are still under way fail.
func (l *Local) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.release()
}

// Account is the user's own.
func (l *Local) Account(uid int) int { return uid }

// Attend refuses: the person is asked here.
func (l *Local) Attend(ctap.Caller) (func(context.Context, ctap.Exchanger), error) {
	return nil, &ctap.Problem{Status: ctap.NotAllowed, What: "there is no agent on a Mac", Hint: "Touch ID asks by itself"}
}

// Channel opens a channel for caller, who must be this user or root.
func (l *Local) Channel(caller ctap.Caller) ctap.Authenticator {
	return &channel{Client: ctap.NewClient(&core{local: l, caller: caller}), local: l, caller: caller}
}

// channel passes commands on to the core, but for those about the whole.
type channel struct {
	*ctap.Client

	local  *Local
	caller ctap.Caller
}

var _ ctap.Authenticator = (*channel)(nil)

// Vendor answers what is about the authenticator as a whole, and passes the rest on.
func (ch *channel) Vendor(ctx context.Context, command ctap.Command, params cbor.Raw) (cbor.Raw, error) {
	switch {
	case ch.caller.Door != ctap.DoorSocket:
		return nil, ctap.InvalidCommand
	case !admitted(ch.caller):
		return nil, ctap.NotAllowed
	case command == ctap.CommandStatus:
		return cbor.Marshal(ch.local.status(ctx))
	case command == ctap.CommandSetup:
		return nil, ch.local.explained(ctx, ch.local.SetUp(ctx, enclave.BiometryAny))
	}
	o, done, err := ch.local.reach(ctx)
	if err != nil {
		return nil, ch.local.explained(ctx, err)
	}
	defer done()
	if command == ctap.CommandReconnect {
		return nil, o.core.PowerCycle()
	}
	return o.core.Channel(ch.caller.Door).Vendor(ctx, command, params)
}

func admitted(caller ctap.Caller) bool { return caller.UID == os.Getuid() || caller.UID == 0 }

// core brings a request to the core's own channel, once there is one.
type core struct {
	local  *Local
	caller ctap.Caller

	mu      sync.Mutex
	of      *opened // whose channel it is
	channel ctap.Authenticator
}

// Exchange answers one request.
func (c *core) Exchange(ctx context.Context, request []byte) ([]byte, error) {
	if !admitted(c.caller) {
		return nil, ctap.NotAllowed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	o, done, err := c.local.reach(ctx)
	if err != nil {
		return nil, c.local.explained(ctx, err)
	}
	defer done()
	if c.of != o {
		c.of, c.channel = o, o.core.Channel(c.caller.Door)
	}
	return ctap.Serve(ctx, c.channel, request), nil
}

// explained puts a failure into words for the person; the cause stays in the log.
func (l *Local) explained(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	l.Log.ErrorContext(ctx, "cannot work now", "cause", err)
	if p, ok := errors.AsType[*ctap.Problem](err); ok {
		return p
	}
	return &ctap.Problem{Status: ctap.StatusOf(err), What: "the authenticator failed", Hint: "the lines above say why", Cause: err}
}

// status tells the state, and the problem where there is one.
func (l *Local) status(ctx context.Context) *ctap.StatusResponse {
	response := &ctap.StatusResponse{Version: l.Version, SetUp: l.exists(), Hardware: "Secure Enclave", Prompt: ctap.PromptTouchID}
	o, done, err := l.reach(ctx)
	if err == nil {
		defer done()
		err = o.describe(ctx, o.ledger.keys(), response)
	}
	if err != nil && response.SetUp {
		response.Problem, _ = errors.AsType[*ctap.Problem](l.explained(ctx, err))
	}
	return response
}

// describe fills in what an open authenticator tells of itself.
func (o *opened) describe(ctx context.Context, keys enclave.Keys, r *ctap.StatusResponse) error {
	settings, err := o.store.Settings()
	if err != nil {
		return err
	}
	count, err := o.store.Count()
	if err != nil {
		return err
	}
	retries, err := keys.Retries(ctx)
	if err != nil {
		return err
	}
	r.AlwaysUV, r.Passkeys, r.Reinsert = settings.AlwaysUV, uint(max(0, count)), o.core.Reinsert()
	r.Hardware += "; each use demands " + keys.Protection.String()
	r.PINSet, r.PINRetries = keys.IsSet(), uint(max(0, retries)) // the finger stands for it
	return nil
}
