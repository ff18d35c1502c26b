package tpm

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/tpm/health"
	"github.com/localpasskey/localpasskey/internal/tpm/held"
	"github.com/localpasskey/localpasskey/internal/tpm/pinindex"
	"github.com/localpasskey/localpasskey/internal/tpm/problem"
	"github.com/localpasskey/localpasskey/internal/tpm/storage"
	"github.com/localpasskey/localpasskey/internal/tpm/wire"
)

// Conn is one connection to the TPM, of the kernel's resource manager say. Closing it
// frees whatever was loaded through it.
type Conn = transport.TPMCloser

// Opener opens a Conn; every operation has its own.
type Opener func(ctx context.Context) (Conn, error)

// tidyUp bounds what is still done for an operation whose context has ended.
const tidyUp = 5 * time.Second

// metadataKeyBytes is the length of the store's key.
const metadataKeyBytes = 32

// Machine is this machine's TPM with one user's keys in it. It implements
// authenticator.Keys and authenticator.PIN, and is safe for concurrent use.
type Machine struct {
	open   Opener
	ledger Ledger
	srk    *storage.SRK
	held   *held.PIN // nil: none is ever held

	changing sync.Mutex        // held while the ledger or the PIN changes
	doomed   []pinindex.Doomed // guarded by changing; what the ledger says of it

	mu      sync.RWMutex
	current *generation // guarded by mu
}

var (
	_ authenticator.Keys = (*Machine)(nil)
	_ authenticator.PIN  = (*Machine)(nil)
)

// SetUp makes sure that the TPM can do what is needed, and makes the first
// generation. It is an error if the ledger has one. A set-up that was cut short is
// cleared away first; one that fails leaves nothing in the TPM but the storage key.
func SetUp(ctx context.Context, open Opener, ledger Ledger) (*Machine, error) {
	r, err := load(ledger)
	if err != nil {
		return nil, err
	}
	m := &Machine{open: open, ledger: ledger}
	if r != nil {
		if r.Current != nil {
			return nil, problem.AlreadySetUp()
		}
		m.doomed = r.Doomed
	}
	m.changing.Lock()
	defer m.changing.Unlock()
	if m.srk, err = m.storageKey(ctx); err != nil {
		return nil, err
	}
	if err := m.sweep(ctx); err != nil {
		return nil, err
	}
	if err := m.probe(ctx); err != nil {
		return nil, err
	}
	if err := m.renew(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

// Open takes up the generation that the ledger names, having undone or finished
// what a crash interrupted.
func Open(ctx context.Context, open Opener, ledger Ledger) (*Machine, error) {
	r, err := load(ledger)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, problem.NotSetUp()
	}
	pinned := tpm2.TPM2BName{Buffer: r.SRKName}
	m := &Machine{open: open, ledger: ledger, doomed: r.Doomed, srk: &storage.SRK{Name: pinned}}
	m.changing.Lock()
	defer m.changing.Unlock()
	if r.Current == nil {
		return nil, errors.Join(problem.NotSetUp(), m.sweep(ctx))
	}
	err = m.converse(ctx, func(t transport.TPM) error {
		if m.srk, err = pinnedSRK(t, pinned); err != nil {
			return err
		}
		m.current, err = takeUp(t, m.srk, r.Current)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := m.sweep(ctx); err != nil {
		return nil, err
	}
	if _, err := m.settle(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

// Remains tells what is left of the ledger's generation, having put the storage key back
// where another program has removed it. Its error is nil while the keys work, and
// problem.ErrGone when they never will again; then key is the store's, if the TPM still
// unseals it, and generation its name.
func Remains(ctx context.Context, open Opener, ledger Ledger) (key secret.Bytes, generation [16]byte, err error) {
	r, err := load(ledger)
	switch {
	case err != nil:
		return key, generation, err
	case r == nil || r.Current == nil:
		return key, generation, problem.NotSetUp()
	}
	m := &Machine{open: open}
	err = m.converse(ctx, func(t transport.TPM) error {
		pinned := tpm2.TPM2BName{Buffer: r.SRKName}
		if err := storage.Restore(t, pinned); err != nil {
			return err // so it is not known whether they are gone
		}
		srk, err := pinnedSRK(t, pinned)
		if err != nil {
			return err
		}
		g, err := takeUp(t, srk, r.Current)
		if g != nil {
			key, generation = g.metadata, g.id
		}
		return err
	})
	return key, generation, err
}

// MetadataKey is the 32-byte key of the store's metadata, fresh in each generation.
// It is the Machine's own: clone what has to outlive Renew.
func (m *Machine) MetadataKey() secret.Bytes { return m.generation().metadata }

// Generation names the generation; Renew changes it.
func (m *Machine) Generation() [16]byte { return m.generation().id }

// Renew begins a new generation without a PIN and ends the old one: none of its
// keys works ever again. If it fails after the new generation has begun, Generation
// shows so, and the old one ends at the next Renew or Open.
func (m *Machine) Renew(ctx context.Context) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	if err := m.sweep(ctx); err != nil {
		return err
	}
	return m.renew(ctx)
}

func (m *Machine) generation() *generation {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.current
}

// Describe asks the TPM who made it.
func (m *Machine) Describe(ctx context.Context) (d health.Description, err error) {
	err = m.converse(ctx, func(t transport.TPM) error {
		d, err = health.Describe(t)
		return err
	})
	return d, err
}

// converse is one operation on a connection of its own.
func (m *Machine) converse(ctx context.Context, f func(t transport.TPM) error) error {
	conn, err := m.open(ctx)
	if err != nil {
		return problem.Explain(err)
	}
	defer hangUp(conn)
	return problem.Explain(f(wire.Patient(ctx, conn)))
}

// hangUp closes a connection. Should that fail, there is nothing more to free it
// with, and what the TPM has done it has done.
func hangUp(conn Conn) { _ = conn.Close() }

func load(ledger Ledger) (*record, error) {
	b, err := ledger.Load()
	if err != nil || len(b) == 0 {
		return nil, err
	}
	return decodeRecord(b)
}

// save makes the ledger say that current is in force and what is doomed. The
// caller holds changing.
func (m *Machine) save(current *generation, doomed []pinindex.Doomed) error {
	r := &record{Version: ledgerVersion, SRKName: m.srk.Name.Buffer, Doomed: doomed}
	if current != nil {
		entry, err := current.entry(m.srk)
		if err != nil {
			return err
		}
		r.Current = entry
	}
	b, err := r.encode()
	if err != nil {
		return err
	}
	return m.ledger.Save(b)
}

// commit puts g in force, on disk first. The caller holds changing.
func (m *Machine) commit(g *generation, doomed []pinindex.Doomed) error {
	if err := m.save(g, doomed); err != nil {
		return err
	}
	m.doomed = doomed
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current != nil && g.pin == pinSet {
		clear(m.current.initial)
	}
	m.current = g
	return nil
}

// sweep undefines what is doomed. The caller holds changing.
func (m *Machine) sweep(ctx context.Context) error {
	if len(m.doomed) == 0 {
		return nil
	}
	err := m.converse(ctx, func(t transport.TPM) error {
		for _, d := range m.doomed {
			if err := pinindex.Undefine(t, d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := m.save(m.generation(), nil); err != nil {
		return err
	}
	m.doomed = nil
	return nil
}

// tidy removes what an operation has left that failed together with the TPM, now that
// the TPM is used again. What cannot be removed yet stays doomed, and hinders nobody.
func (m *Machine) tidy(ctx context.Context) {
	if !m.changing.TryLock() {
		return // whoever changes something sweeps as well
	}
	defer m.changing.Unlock()
	_ = m.sweep(ctx) // a use of the TPM follows, and tells what is wrong with it
}

// begin makes an index that nothing uses yet; until commit it is doomed. On failure
// what there is of it is removed. The caller holds changing.
func (m *Machine) begin(ctx context.Context, finish func(t transport.TPM, g *generation) error) (*generation, error) {
	var g *generation
	err := m.converse(ctx, func(t transport.TPM) (err error) {
		g = &generation{pin: pinUnset, initial: randomAuth()}
		if _, err := rand.Read(g.salt[:]); err != nil {
			return err
		}
		g.index, err = pinindex.Make(t, m.srk.Salt(), g.initial, func(d pinindex.Doomed) error {
			doomed := append(slices.Clip(m.doomed), d)
			if err := m.save(m.generation(), doomed); err != nil {
				return err
			}
			m.doomed = doomed
			return nil
		})
		if err != nil {
			return err
		}
		return finish(t, g)
	})
	if err != nil {
		return nil, errors.Join(err, m.abandon(ctx))
	}
	return g, nil
}

// abandon removes what is doomed although the operation has failed. That the ledger
// calls it doomed is written once more: a failed Save may have reached the disk.
func (m *Machine) abandon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyUp)
	defer cancel()
	if err := m.save(m.generation(), m.doomed); err != nil {
		return err
	}
	return m.sweep(ctx)
}

// renew makes a generation, puts it in force and ends the one before. The caller
// holds changing and has swept.
func (m *Machine) renew(ctx context.Context) error {
	g, err := m.begin(ctx, func(t transport.TPM, g *generation) (err error) {
		if _, err = rand.Read(g.id[:]); err != nil {
			return err
		}
		g.metadata = secret.Random(metadataKeyBytes)
		g.sealed, err = m.srk.Seal(t, g.metadata)
		return err
	})
	if err != nil {
		return err
	}
	var doomed []pinindex.Doomed
	old := m.generation()
	if old != nil {
		doomed = append(doomed, old.index.Doom())
	}
	if err := m.commit(g, doomed); err != nil {
		return errors.Join(err, m.abandon(ctx))
	}
	m.held.Drop()
	if old != nil {
		old.metadata.Wipe()
		clear(old.initial)
	}
	return m.sweep(ctx)
}

// storageKey finds the SRK, or makes it.
func (m *Machine) storageKey(ctx context.Context) (found *storage.SRK, err error) {
	err = m.converse(ctx, func(t transport.TPM) error {
		if found, err = storage.Find(t); err != nil {
			return err
		}
		if found == nil {
			if err := storage.Make(t); err != nil {
				return err
			}
			if found, err = storage.Find(t); err != nil {
				return err
			}
		}
		if found == nil {
			return problem.Unsupported("it does not keep a storage key", nil)
		}
		return found.Suitable()
	})
	return found, err
}

// pinnedSRK reads the SRK and compares it with the one that was there at set-up.
func pinnedSRK(t transport.TPM, pinned tpm2.TPM2BName) (*storage.SRK, error) {
	found, err := storage.Find(t)
	switch {
	case err != nil:
		return nil, err
	case found == nil:
		return nil, problem.Foreign("its storage key is gone", nil)
	case !bytes.Equal(found.Name.Buffer, pinned.Buffer):
		return nil, problem.Foreign("its storage key is another one", nil)
	}
	return found, nil
}

// probe makes an index for trial and does with it what has to work later: a wrong
// and the right authorization, counted; another one; proof that it lives. The index
// is removed in any case. The caller holds changing.
func (m *Machine) probe(ctx context.Context) error {
	g, err := m.begin(ctx, func(transport.TPM, *generation) error { return nil })
	if err != nil {
		return err
	}
	return errors.Join(m.tryOut(ctx, g), m.abandon(ctx))
}

func (m *Machine) tryOut(ctx context.Context, g *generation) error {
	var refused *authenticator.WrongPIN
	err := m.try(ctx, g, randomAuth())
	switch {
	case err == nil:
		return problem.Unsupported("it takes a wrong PIN for the right one", nil)
	case !errors.As(err, &refused):
		return fmt.Errorf("trying a wrong PIN: %w", err)
	case refused.Retries != pinindex.Attempts-1:
		return problem.Unsupported("it does not count wrong PINs", nil)
	}
	if err := m.try(ctx, g, bytes.Clone(g.initial)); err != nil {
		return fmt.Errorf("trying the right PIN: %w", err)
	}
	err = m.converse(ctx, func(t transport.TPM) error {
		left, err := g.index.Retries(t)
		if err == nil && left != pinindex.Attempts {
			return problem.Unsupported("the right PIN does not give the attempts back", nil)
		}
		return err
	})
	if err != nil {
		return err
	}
	err = m.converse(ctx, func(t transport.TPM) error {
		return g.index.Change(t, m.srk.Salt(), bytes.Clone(g.initial), randomAuth())
	})
	if err != nil {
		return fmt.Errorf("trying another PIN: %w", err)
	}
	return m.converse(ctx, func(t transport.TPM) error {
		_, err := g.index.Prove(t, nil)
		return err
	})
}
