package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/notice"
	"github.com/localpasskey/localpasskey/internal/daemon/board"
	"github.com/localpasskey/localpasskey/internal/socket"
	"github.com/localpasskey/localpasskey/internal/store"
	"github.com/localpasskey/localpasskey/internal/tpm"
	"github.com/localpasskey/localpasskey/internal/tpm/held"
	"github.com/localpasskey/localpasskey/internal/tpm/problem"
)

// Config is what a Daemon is made of. All but BuiltInUV, Plug and FingerprintBus is required.
type Config struct {
	// StorePath is the store's file, an absolute name.
	StorePath string
	OpenTPM   tpm.Opener
	// User is asked while no agent is there.
	User authenticator.User
	// BuiltInUV tells whether User can be asked for the PIN right now; nil for
	// never.
	BuiltInUV func() bool
	// Plug makes the device by which programs find the authenticator; nil for none.
	// An error is a *ctap.Problem where a person can help.
	Plug func() (Device, error)
	// FingerprintBus is the address of the bus with the fprintd whose word lets a finger
	// stand for the PIN, where the user wants that; empty for never. Whoever gives one calls
	// SetPresent too: what is held must not outlast the user's being there.
	FingerprintBus string
	Version        string
	Log            *slog.Logger
}

// socketMode lets the user alone connect.
const socketMode = 0o600

// Daemon is one person's authenticator on one machine.
type Daemon struct {
	Config

	owner  int // uid of who may speak to it
	person *person
	slot   *slot
	hints  *hints
	board  *board.Board

	lockTold atomic.Pointer[bool]

	mu     sync.Mutex // held while the store is opened, set up or closed
	opened *opened    // nil until it is open
	closed bool
	loss   *notice.Notice // of passkeys whose keys are gone from the TPM; nil for none
}

// opened is a store whose keys this machine's TPM has.
type opened struct {
	store   *store.Store
	machine *tpm.Machine
	core    *authenticator.Authenticator
	hints   *hints
	abandon func()      // has the next request open the store anew
	over    atomic.Bool // it was abandoned, or its keys are gone
	held    *held.PIN
}

// New makes a daemon for the user that this process runs as. It touches nothing yet; the
// first call opens the store.
func New(c Config) *Daemon { return NewFor(os.Getuid(), c) }

// NewFor is New for another user.
func NewFor(owner int, c Config) *Daemon {
	d := &Daemon{Config: c, owner: owner, hints: &hints{}, board: board.New()}
	d.person = &person{own: c.User, ownUV: c.BuiltInUV, log: c.Log}
	d.slot = &slot{plug: c.Plug, open: d.Channel, owner: owner, log: c.Log}
	return d
}

// Serve answers the callers of l, and programs that use the device, until ctx ends, and
// closes l.
func (d *Daemon) Serve(ctx context.Context, l *socket.Listener) error {
	d.Begin(ctx)
	return errors.Join(socket.Serve(ctx, l, d, d.Log), d.End())
}

// Begin opens the store, where there is one, and plugs the device in. When the machine
// has been asleep, before ctx ends, it begins anew.
func (d *Daemon) Begin(ctx context.Context) {
	d.slot.use(true)
	_, err := d.open(ctx)
	if err != nil && !isNotSetUp(err) {
		d.Log.ErrorContext(ctx, "the store is not usable now; each request tries again", "cause", err)
	}
	if !isNotSetUp(err) {
		d.slot.in() //nolint:contextcheck // It stays until it is pulled.
	}
	go d.watchSuspend(ctx)
}

// End pulls the device for good.
func (d *Daemon) End() error {
	d.slot.use(false)
	return d.slot.out()
}

// watchSuspend cycles the power when the machine wakes up: whoever opens the lid need
// not be who closed it, so nothing that was permitted or asked before goes on.
func (d *Daemon) watchSuspend(ctx context.Context) {
	err := afterSuspend(ctx, func() {
		d.Log.InfoContext(ctx, "the machine has been asleep")
		if err := d.cyclePower(); err != nil { //nolint:contextcheck // as in reconnect
			d.Log.ErrorContext(ctx, "cannot begin anew after sleep", "cause", err)
		}
	})
	if err != nil {
		d.Log.ErrorContext(ctx, "cannot tell when the machine sleeps", "cause", err)
	}
}

// SetPresent says whether the user is at the machine, as he is at first. When he goes, the
// device is withdrawn, and what was permitted or asked ends; when he comes, it is back.
func (d *Daemon) SetPresent(present bool) error {
	d.slot.setAway(!present)
	d.mu.Lock()
	if o := d.opened; o != nil {
		o.held.SetAway(!present)
	}
	d.mu.Unlock()
	if !present {
		return d.cyclePower()
	}
	if d.storeExists() {
		d.slot.in()
	}
	return nil
}

// SetLockTold says whether the desktop that the user sits in front of has told the system
// of a locked screen before; nil where that is not known. It is shown, and no more.
func (d *Daemon) SetLockTold(told *bool) { d.lockTold.Store(told) }

// cyclePower is pulling and reinserting what has no plug.
func (d *Daemon) cyclePower() error {
	d.mu.Lock()
	o, closed := d.opened, d.closed
	d.mu.Unlock()
	if closed {
		return store.ErrClosed
	}
	o.dropHeld()
	err := d.slot.out()
	if o != nil {
		err = errors.Join(err, o.core.PowerCycle())
		o.dropHeld() // what was typed for a request that has just ended
	}
	if d.storeExists() {
		d.slot.in()
	}
	return err
}

// Run serves at a socket of the user's own until ctx ends: the whole life of a
// `localpasskey daemon`. It fails at once where the TPM cannot be reached or another
// daemon listens there. listening is called when callers can connect.
func Run(ctx context.Context, c Config, socketPath string, listening func()) (err error) {
	d := New(c)
	if err := d.Hardware(ctx); err != nil {
		return err
	}
	l, err := socket.Listen(socketPath, socketMode) //nolint:contextcheck // It waits for nobody.
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	listening()
	return d.Serve(ctx, l)
}

// Close pulls the device and closes the store. Requests that are still under way fail.
func (d *Daemon) Close() error {
	d.mu.Lock()
	o := d.opened
	d.opened, d.closed = nil, true
	d.mu.Unlock()
	o.dropHeld()
	err := d.slot.out()
	if o == nil {
		return err
	}
	return errors.Join(err, o.end())
}

// Hardware tells whether the TPM can be reached: nil, or what stands in the way.
func (d *Daemon) Hardware(ctx context.Context) error {
	conn, err := d.OpenTPM(ctx)
	if err != nil {
		return err
	}
	return conn.Close()
}

// open gives what is open, opening it first where it is not. Its error is
// isNotSetUp where there is nothing to open.
func (d *Daemon) open(ctx context.Context) (*opened, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.openLocked(ctx)
}

func (d *Daemon) openLocked(ctx context.Context) (*opened, error) {
	switch {
	case d.closed:
		return nil, store.ErrClosed
	case d.opened != nil:
		return d.opened, nil
	case !d.storeExists():
		d.loss = nil
		return nil, problem.NotSetUp()
	}
	return d.join(ctx, func(s *store.Store) (*tpm.Machine, error) {
		return tpm.Open(ctx, d.OpenTPM, s.Ledger())
	})
}

func (d *Daemon) storeExists() bool {
	_, err := os.Lstat(d.StorePath)
	return !errors.Is(err, fs.ErrNotExist)
}

// setUp makes the keys of a new store and opens it.
func (d *Daemon) setUp(ctx context.Context) error {
	if err := d.letGo(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch _, err := d.openLocked(ctx); {
	case err == nil:
		return problem.AlreadySetUp()
	case !isNotSetUp(err):
		return err
	}
	leftover := d.storeExists()
	_, err := d.join(ctx, func(s *store.Store) (*tpm.Machine, error) {
		machine, err := tpm.SetUp(ctx, d.OpenTPM, s.Ledger())
		if err != nil {
			record, loadErr := s.Ledger().Load()
			leftover = leftover || loadErr != nil || record != nil
		}
		return machine, err
	})
	if err != nil && !leftover && d.storeExists() {
		err = errors.Join(err, os.Remove(d.StorePath))
	}
	return err
}

// letGo closes a store that is open and that somebody has moved away, as they are told to
// where its keys are lost.
func (d *Daemon) letGo() error {
	d.mu.Lock()
	o := d.opened
	if o == nil || d.storeExists() {
		d.mu.Unlock()
		return nil
	}
	d.opened = nil
	d.mu.Unlock()
	return o.end()
}

// join opens the store, has take find its keys in the TPM, and puts the
// authenticator on top of both. The caller holds mu.
func (d *Daemon) join(ctx context.Context, take func(*store.Store) (*tpm.Machine, error)) (*opened, error) {
	s, err := store.Open(d.StorePath)
	if err != nil {
		return nil, err
	}
	o := &opened{store: s, hints: d.hints, held: held.New(lifetime(s))}
	o.held.SetAway(d.slot.isAway())
	o.abandon = func() { d.abandon(o) }
	o.machine, err = take(s)
	if errors.Is(err, problem.ErrGone) && !d.gone(ctx, s, err) {
		o.machine, err = take(s)
	}
	if err == nil {
		o.machine.Hold(o.held)
		err = s.Unlock(o.machine.MetadataKey(), o.machine.Generation())
	}
	if err == nil {
		user, fingers := d.asker(o.held)
		o.core, err = authenticator.New(authenticator.Config{
			Keys: o.machine, PIN: o.machine, Store: hinted{s, d.hints, d.board}, User: user, Eraser: o,
			BuiltInUV: d.person.canVerify, Fingers: fingers,
			AAGUID: authenticator.TPMAAGUID(),
			Log:    d.Log,
		})
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	d.opened, d.loss = o, nil
	return o, nil
}

// Erase begins a new generation in the TPM, which ends every key, and then empties
// the store. Should the store fail at that, it is closed at once: what it would take
// from then on is of a dead generation. Opening it again finishes the reset.
func (o *opened) Erase(ctx context.Context) error {
	entry := o.hints.fill(ctap.NewAuditEntry(ctx, ctap.AuditReset, "", ""))
	if count, err := o.store.Count(); err == nil {
		entry.Detail = fmt.Sprintf("%d passkeys destroyed", count)
	}
	before := o.machine.Generation()
	err := o.machine.Renew(ctx)
	if o.machine.Generation() == before {
		return err
	}
	if eraseErr := o.store.Erase(o.machine.MetadataKey(), o.machine.Generation(), entry); eraseErr != nil {
		o.abandon()
		return errors.Join(err, eraseErr, o.store.Close())
	}
	return err
}

// end closes the store. Channels that have it reach for another from then on, and no finger
// stands for its PIN, nor for one that was typed for a request that ends here.
func (o *opened) end() error {
	o.over.Store(true)
	defer o.dropHeld()
	return errors.Join(o.core.PowerCycle(), o.store.Close())
}

// abandon has the next request open the store anew.
func (d *Daemon) abandon(o *opened) {
	o.dropHeld()
	d.mu.Lock()
	defer d.mu.Unlock()
	o.over.Store(true)
	if d.opened == o {
		d.opened = nil
	}
}

// status tells the state, and the problem where there is one.
func (d *Daemon) status(ctx context.Context) *ctap.StatusResponse {
	response := &ctap.StatusResponse{Version: d.Version, Prompt: d.person.asks(), LockTold: d.lockTold.Load()}
	node, err := d.slot.describe()
	if response.Node = node; err != nil {
		response.NodeProblem = inWords(err)
	}
	o, err := d.open(ctx)
	switch {
	case err == nil:
		response.SetUp = true
		err = o.describe(ctx, response)
	case isNotSetUp(err):
		err = d.Hardware(ctx)
	default:
		response.SetUp = true
	}
	if err != nil {
		response.Problem = d.problem(ctx, err)
	}
	return response
}

// describe fills in what an open authenticator tells of itself.
func (o *opened) describe(ctx context.Context, r *ctap.StatusResponse) error {
	description, err := o.machine.Describe(ctx)
	if err != nil {
		return err
	}
	settings, err := o.store.Settings()
	if err != nil {
		return err
	}
	count, err := o.store.Count()
	if err != nil {
		return err
	}
	retries, err := o.machine.Retries(ctx)
	if err != nil {
		return err
	}
	r.Hardware = description.String()
	r.AlwaysUV = settings.AlwaysUV
	r.Passkeys = uint(max(0, count))
	r.PINSet = o.machine.IsSet()
	r.PINRetries = uint(max(0, retries))
	r.Reinsert = o.core.Reinsert()
	return nil
}

// problem puts err into words for the person; the cause stays here, in the log.
func (d *Daemon) problem(ctx context.Context, err error) *ctap.Problem {
	d.Log.ErrorContext(ctx, "cannot work now", "cause", err)
	d.lookForLoss(ctx, err)
	return d.withLoss(inWords(err))
}

func inWords(err error) *ctap.Problem {
	if problem, ok := errors.AsType[*ctap.Problem](err); ok {
		return problem
	}
	return &ctap.Problem{
		Status: ctap.StatusOf(err),
		What:   "the authenticator failed",
		Hint:   "the daemon's log says why",
		Cause:  err,
	}
}

// isNotSetUp recognises the one state in which there is nothing to open.
func isNotSetUp(err error) bool {
	problem, ok := errors.AsType[*ctap.Problem](err)
	return ok && problem.Status == ctap.NotAllowed
}
