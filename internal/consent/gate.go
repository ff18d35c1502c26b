package consent

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
)

// Config is what a Gate is made of.
type Config struct {
	PIN      PIN
	User     User
	Settings SettingsStore
	Trail    Trail
	Values   Values
	// BuiltInUV tells whether User can be asked for the PIN right now; nil for
	// an authenticator without user verification of its own.
	BuiltInUV func() bool
	// Fingers tells whether User has ways to see one.
	Fingers bool
	// Account is whose the one passkey is that a relying party has here, nil where
	// it has none or several: a question that comes before the platform says which
	// one it wants can name it all the same.
	Account func(rpIDHash [32]byte) (*ctap.User, error)
}

// Gate is one person's consent to what one authenticator does. Requests take
// turns at it: the person can answer only one question at once.
type Gate struct {
	Config

	// turn is held by the request being served; it guards the fields below.
	turn      chan struct{}
	agreement *pinuv.KeyAgreement
	request   context.Context //nolint:containedctx // whose turn it is, for the audit trail
	token     *Token
	epoch     uint64

	wrongInARow atomic.Int32

	// mu guards power, whose end ends every request of that power cycle. One comes after
	// the other: of two at once one would be replaced, not ended, under a request of its own.
	mu      sync.Mutex
	power   powerCycle
	cycling sync.Mutex
}

type powerCycle struct {
	began time.Time
	done  context.Context //nolint:containedctx // it is the life of the power cycle
	end   context.CancelFunc
}

// New makes a gate, powered on.
func New(c Config) (*Gate, error) {
	agreement, err := pinuv.NewKeyAgreement()
	if err != nil {
		return nil, err
	}
	return &Gate{Config: c, turn: make(chan struct{}, 1), agreement: agreement, power: newPowerCycle()}, nil
}

func newPowerCycle() powerCycle {
	done, end := context.WithCancel(context.Background())
	return powerCycle{began: time.Now(), done: done, end: end}
}

// PowerCycle does what pulling and reinserting a security key does: pending
// requests are cancelled and everything volatile is forgotten, among it the
// wrong PINs in a row.
func (g *Gate) PowerCycle() error {
	g.cycling.Lock()
	defer g.cycling.Unlock()
	g.current().end()
	g.turn <- struct{}{} // whoever holds it has just been cancelled
	defer func() { <-g.turn }()
	g.mu.Lock() // for this alone: who holds the turn may ask when power came
	g.power = newPowerCycle()
	g.mu.Unlock()
	return g.Forget()
}

// PoweredOn is when the power cycle began.
func (g *Gate) PoweredOn() time.Time { return g.current().began }

func (g *Gate) current() powerCycle {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.power
}

// Reinsert tells whether PINs are refused until a PowerCycle.
func (g *Gate) Reinsert() bool { return g.wrongInARow.Load() >= maxWrongInARow }

// CanVerify tells whether built-in user verification works now. A PIN that has to be
// changed verifies nobody; the platform, asking for it, learns what is to be done.
func (g *Gate) CanVerify() bool {
	return g.BuiltInUV != nil && g.BuiltInUV() && g.PIN.IsSet() && !g.mustChange()
}

// mustChange tells whether the PIN has to be changed before it is good for anything.
func (g *Gate) mustChange() bool {
	settings, err := g.Settings.Settings()
	return err != nil || settings.ForcePINChange
}

// EndTokens ends the token in use and the persistent one. The caller holds the turn.
func (g *Gate) EndTokens() error {
	g.dropToken()
	_, err := g.endPersistent()
	return err
}

// Forget drops token and key agreement, as a reset does, and with them what
// earlier commands left for their "next". The caller holds the turn.
func (g *Gate) Forget() error {
	g.dropToken()
	g.epoch++
	g.wrongInARow.Store(0)
	return g.agreement.Regenerate()
}

// Epoch changes when what was permitted so far is permitted no longer: with a new
// token, a changed PIN, a reset, a power cycle. The caller holds the turn.
func (g *Gate) Epoch() uint64 { return g.epoch }

// After runs do in a turn of its own, when d has passed.
func (g *Gate) After(d time.Duration, do func()) {
	time.AfterFunc(d, func() {
		g.turn <- struct{}{}
		defer func() { <-g.turn }()
		do()
	})
}

// Begin waits for the request's turn. The context it gives ends with the power
// cycle too; end gives the turn back.
func (g *Gate) Begin(ctx context.Context) (inTurn context.Context, end func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(g.current().done, cancel)
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		stop()
		cancel()
		return nil, nil, ctx.Err()
	}
	g.request = ctx
	return ctx, func() {
		<-g.turn
		stop()
		cancel()
	}, nil
}
