package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctaphid"
	"github.com/localpasskey/localpasskey/internal/ctaptest"
	"github.com/localpasskey/localpasskey/internal/store"
	"github.com/localpasskey/localpasskey/internal/swtpm"
	"github.com/localpasskey/localpasskey/internal/tpm"
)

// door is what the outside sees of the device while it has power.
type door interface {
	ctaphid.Conn
	// Close withdraws it; reports that are waited for end.
	Close() error
	// String names the place.
	String() string
}

// device is an authenticator with a plug.
type device struct {
	dir      string // of the store and the software TPM
	alwaysUV bool
	uv       bool
	plug     func(context.Context) (door, error)
	person   *ctaptest.Person
	log      *slog.Logger
	chip     tpm.Opener // nil for a software TPM

	mu    sync.Mutex
	power *power // nil when off
}

// power is all that the device has while it has power.
type power struct {
	chip     *swtpm.TPM // nil for a chip
	store    *store.Store
	machine  *tpm.Machine
	core     *authenticator.Authenticator
	door     door
	stop     context.CancelFunc
	ended    chan error
	alwaysUV bool
}

var (
	errOn  = errors.New("the power is on")
	errOff = errors.New("the power is off")
)

// on gives the device power: the TPM first, the plug last. ctx ends with the program.
func (d *device) on(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.power != nil {
		return errOn
	}
	p := &power{ended: make(chan error, 1), alwaysUV: d.alwaysUV}
	if err := d.start(ctx, p); err != nil {
		return errors.Join(err, p.off())
	}
	d.power = p
	return nil
}

func (d *device) start(ctx context.Context, p *power) (err error) {
	open := d.chip
	if open == nil {
		state := filepath.Join(d.dir, "tpm")
		if err := os.MkdirAll(state, 0o700); err != nil {
			return err
		}
		if p.chip, err = swtpm.Start(ctx, state); err != nil {
			return err
		}
		open = p.chip.Opener()
	}
	if p.store, err = store.Open(filepath.Join(d.dir, "passkeys.db")); err != nil {
		return err
	}
	if err := p.unlock(ctx, open); err != nil {
		return err
	}
	config := authenticator.Config{
		Keys: p.machine, PIN: p.machine, Store: p.store, User: d.person, Eraser: p,
		AAGUID: authenticator.TPMAAGUID(), Log: d.log,
	}
	if d.uv {
		config.BuiltInUV = func() bool { return true }
	}
	if p.core, err = authenticator.New(config); err != nil {
		return err
	}
	if p.door, err = d.plug(ctx); err != nil {
		return err
	}
	alive, stop := context.WithCancel(ctap.WithCaller(ctx, ctap.Caller{UID: os.Getuid(), Door: ctap.DoorHID}))
	p.stop = stop
	go func() {
		p.ended <- ctaphid.Serve(alive, p.door, func() ctap.Authenticator { return p.core.Channel(ctap.DoorHID) }, d.log)
	}()
	return nil
}

// unlock finds the store's keys in the TPM, or makes the first ones.
func (p *power) unlock(ctx context.Context, open tpm.Opener) error {
	record, err := p.store.Ledger().Load()
	if err != nil {
		return err
	}
	fresh := record == nil
	if fresh {
		p.machine, err = tpm.SetUp(ctx, open, p.store.Ledger())
	} else {
		p.machine, err = tpm.Open(ctx, open, p.store.Ledger())
	}
	if err != nil {
		return err
	}
	if err := p.store.Unlock(p.machine.MetadataKey(), p.machine.Generation()); err != nil {
		return err
	}
	if fresh {
		return p.configure()
	}
	return nil
}

// configure makes the settings those of the command line, for a fresh device.
func (p *power) configure() error {
	settings := authenticator.DefaultSettings()
	settings.AlwaysUV = p.alwaysUV
	return p.store.PutSettings(settings)
}

// Erase makes the device a fresh one.
func (p *power) Erase(ctx context.Context) error {
	if err := p.machine.Renew(ctx); err != nil {
		return err
	}
	if err := p.store.Erase(p.machine.MetadataKey(), p.machine.Generation(), ctap.NewAuditEntry(ctx, ctap.AuditReset, "", "")); err != nil {
		return err
	}
	return p.configure()
}

// off takes the power away. Turning it off twice does nothing.
func (d *device) off() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.power == nil {
		return nil
	}
	err := d.power.off()
	d.power = nil
	return err
}

// off ends what start has started, the plug first, and forgets what only power
// keeps.
func (p *power) off() error {
	var errs []error
	if p.stop != nil {
		p.stop()
		errs = append(errs, p.core.PowerCycle())
	}
	if p.door != nil {
		errs = append(errs, p.door.Close())
	}
	if p.stop != nil {
		errs = append(errs, <-p.ended)
	}
	if p.store != nil {
		errs = append(errs, p.store.Close())
	}
	if p.chip != nil {
		errs = append(errs, p.chip.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("power off: %w", err)
	}
	return nil
}

// where names the device's place.
func (d *device) where() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.power.door.String()
}
