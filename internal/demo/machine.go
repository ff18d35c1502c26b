package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/demo/attacker"
	"github.com/localpasskey/localpasskey/internal/socket"
	"github.com/localpasskey/localpasskey/internal/swtpm"
)

// Daemon is the daemon's life: it serves at the socket until ctx ends, and calls
// Listening when callers can connect.
type Daemon func(ctx context.Context, d DaemonConfig) error

// DaemonConfig is what a daemon of the demonstration is made of.
type DaemonConfig struct {
	Store, Socket string // absolute file names
	OpenTPM       attacker.Opener
	User          authenticator.User
	Listening     func()
}

// machine is a TPM with a daemon in front of it and a client at the daemon's socket.
type machine struct {
	attacker.Attacker // of this machine's TPM

	tap    *attacker.Wiretap
	chip   *swtpm.TPM // nil for a chip, which cannot be switched off from here
	dir    string
	person person
	conn   *socket.Conn
	device ctap.Authenticator
	stop   context.CancelFunc
	ended  chan error

	before []tpm2.TPMHandle // indices that are not this machine's
	index  tpm2.TPMHandle   // its PIN index, 0 before set-up
}

// boot starts a machine whose files are in dir; with chip nil it has a software TPM
// of its own.
func boot(ctx context.Context, dir string, daemon Daemon, chip attacker.Opener) (*machine, error) {
	m := &machine{dir: dir, ended: make(chan error, 1)}
	if chip == nil {
		state := filepath.Join(dir, "tpm")
		if err := os.MkdirAll(state, 0o700); err != nil {
			return nil, err
		}
		var err error
		if m.chip, err = swtpm.Start(ctx, state); err != nil {
			return nil, err
		}
		chip = m.chip.Opener()
	}
	m.Attacker = attacker.Attacker{Open: chip}
	m.tap = &attacker.Wiretap{Tapped: chip}
	err := m.At(ctx, func(t transport.TPM) (err error) { m.before, err = attacker.Indices(t); return err })
	if err == nil {
		err = m.serve(ctx, daemon)
	}
	if err != nil {
		return nil, errors.Join(err, m.shutDown(ctx))
	}
	return m, nil
}

func (m *machine) store() string { return filepath.Join(m.dir, "passkeys.db") }

// serve starts the daemon and connects to it.
func (m *machine) serve(ctx context.Context, daemon Daemon) error {
	alive, stop := context.WithCancel(ctx)
	m.stop = stop
	listening := make(chan struct{})
	config := DaemonConfig{
		Store: m.store(), Socket: filepath.Join(m.dir, "socket"),
		OpenTPM: m.tap.Open, User: &m.person, Listening: func() { close(listening) },
	}
	go func() { m.ended <- daemon(alive, config) }()
	select {
	case <-listening:
	case err := <-m.ended:
		m.ended <- err
		return errors.New("the daemon ended at once")
	}
	conn, err := socket.Dial(ctx, config.Socket)
	if err != nil {
		return err
	}
	m.conn, m.device = conn, ctap.NewClient(conn)
	return nil
}

// setUp makes this machine's keys, and finds the PIN index among the TPM's. On a
// chip that others share exactly one may have appeared: what is removed later must
// be ours beyond doubt.
func (m *machine) setUp(ctx context.Context) error {
	if _, err := ctap.Call[struct{}](ctx, m.device, ctap.CommandSetup, nil); err != nil {
		return fmt.Errorf("set-up: %w", err)
	}
	var now []tpm2.TPMHandle
	if err := m.At(ctx, func(t transport.TPM) (err error) { now, err = attacker.Indices(t); return err }); err != nil {
		return err
	}
	made := slices.DeleteFunc(now, func(h tpm2.TPMHandle) bool { return slices.Contains(m.before, h) })
	if len(made) != 1 {
		return fmt.Errorf("set-up has made %d indices in the TPM (%x)", len(made), made)
	}
	m.index = made[0]
	return nil
}

// powerCycle switches the TPM off and on, and has the daemon forget what a security
// key forgets when it is pulled. A chip stays on.
func (m *machine) powerCycle(ctx context.Context) error {
	if m.chip != nil {
		if err := m.chip.Restart(ctx); err != nil {
			return err
		}
	}
	_, err := ctap.Call[struct{}](ctx, m.device, ctap.CommandReconnect, nil)
	return err
}

// shutDown ends everything that boot has started, whether ctx has ended or not. A
// chip gets rid of the PIN index.
func (m *machine) shutDown(ctx context.Context) error {
	var errs []error
	if m.conn != nil {
		errs = append(errs, m.conn.Close())
	}
	if m.stop != nil {
		m.stop()
		errs = append(errs, <-m.ended)
	}
	if m.chip != nil {
		return errors.Join(append(errs, m.chip.Close())...)
	}
	if m.index != 0 {
		errs = append(errs, m.At(context.WithoutCancel(ctx), func(t transport.TPM) error {
			_, err := attacker.Undefine(t, m.index)
			return err
		}))
	}
	return errors.Join(errs...)
}
