package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/google/go-tpm/tpm2/transport"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/cose"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/pinuv"
	"github.com/localpasskey/localpasskey/internal/store"
	"github.com/localpasskey/localpasskey/internal/swtpm"
	"github.com/localpasskey/localpasskey/internal/tpm"
)

// sizes are how many passkeys the stores have, in ascending order.
type sizes []int

// rpID is where the measured passkey belongs.
const rpID = "example.com"

// rig is one software TPM and stores of several sizes whose keys it has: copies of
// one store, so that all are measured against the same bare commands.
type rig struct {
	sizes  sizes
	tpmDir string
	chip   *swtpm.TPM
	sent   atomic.Int64         // commands, as they leave us
	busy   atomic.Int64         // nanoseconds that were spent on them
	slow   atomic.Pointer[chip] // what the TPM is as slow as, nil for itself
	stacks []*stack
}

// stack is an authenticator on a store of so many passkeys.
type stack struct {
	rig     *rig
	size    int
	path    string
	person  *person
	store   *store.Store
	machine *tpm.Machine
	core    *authenticator.Authenticator
	channel ctap.Authenticator
}

func storeDir(size int) string { return fmt.Sprintf("store-%d", size) }

func newRig(ctx context.Context, dir string, z sizes) (_ *rig, err error) {
	r := &rig{sizes: z, tpmDir: filepath.Join(dir, "tpm")}
	if err := os.Mkdir(r.tpmDir, 0o700); err != nil {
		return nil, err
	}
	if r.chip, err = swtpm.Start(ctx, r.tpmDir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if err := r.fill(ctx, dir); err != nil {
		return nil, err
	}
	for _, size := range r.sizes {
		s, err := r.open(ctx, filepath.Join(dir, storeDir(size), "passkeys.db"))
		if err != nil {
			return nil, err
		}
		s.size, s.rig = size, r
		r.stacks = append(r.stacks, s)
	}
	return r, nil
}

// close ends everything; it may be called twice.
func (r *rig) close() error {
	var errs []error
	for _, s := range r.stacks {
		errs = append(errs, s.close())
	}
	r.stacks = nil
	return errors.Join(append(errs, r.chip.Close())...)
}

// opener is the TPM, with what is sent to it counted, and answered late where it plays
// a slower one.
func (r *rig) opener() tpm.Opener {
	open := r.chip.Opener()
	return func(ctx context.Context) (tpm.Conn, error) {
		conn, err := open(ctx)
		if err != nil {
			return nil, err
		}
		return counted{conn, r}, nil
	}
}

type counted struct {
	transport.TPMCloser

	rig *rig
}

// Send sends a command.
func (c counted) Send(command []byte) ([]byte, error) {
	began, before := time.Now(), c.rig.chip.Commands()
	c.rig.sent.Add(1)
	response, err := c.TPMCloser.Send(command)
	c.rig.slow.Load().drag(began, c.rig.chip.Commands()-before, command)
	c.rig.busy.Add(int64(time.Since(began)))
	return response, err
}

// Close closes the connection, for which sessions are flushed.
func (c counted) Close() error {
	began, before := time.Now(), c.rig.chip.Commands()
	err := c.TPMCloser.Close()
	c.rig.slow.Load().drag(began, c.rig.chip.Commands()-before, nil)
	return err
}

// open opens a store that is there, as the daemon does at its start.
func (r *rig) open(ctx context.Context, path string) (*stack, error) {
	return r.join(path, func(s *store.Store) (*tpm.Machine, error) { return tpm.Open(ctx, r.opener(), s.Ledger()) })
}

func (r *rig) join(path string, take func(*store.Store) (*tpm.Machine, error)) (_ *stack, err error) {
	s := &stack{path: path, person: new(person)}
	if s.store, err = store.Open(path); err != nil {
		return nil, err
	}
	if s.machine, err = take(s.store); err == nil {
		err = s.store.Unlock(s.machine.MetadataKey(), s.machine.Generation())
	}
	if err == nil {
		s.core, err = authenticator.New(authenticator.Config{
			Keys: s.machine, PIN: s.machine, Store: s.store, User: s.person, Eraser: s,
			BuiltInUV: func() bool { return true },
			AAGUID:    authenticator.TPMAAGUID(), Log: slog.New(slog.DiscardHandler),
		})
	}
	if err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	s.channel = s.core.Channel(ctap.DoorSocket)
	return s, nil
}

// Erase is never asked for here.
func (s *stack) Erase(context.Context) error { return ctap.NotAllowed }

func (s *stack) close() error { return errors.Join(s.core.PowerCycle(), s.store.Close()) }

// fill makes the stores: one real passkey, and copies of it under other names. It
// works in memory where there is a tmpfs, because every one is written
// durably.
func (r *rig) fill(ctx context.Context, dir string) (err error) {
	quick, err := os.MkdirTemp("/dev/shm", "localpasskey-bench-")
	if err != nil {
		if quick, err = os.MkdirTemp(dir, "fill-"); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, os.RemoveAll(quick)) }()
	path := filepath.Join(quick, "passkeys.db")
	s, err := r.join(path, func(s *store.Store) (*tpm.Machine, error) { return tpm.SetUp(ctx, r.opener(), s.Ledger()) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.platform().SetPIN(ctx, examplePIN()); err != nil {
		return err
	}
	if err := s.register(ctx); err != nil {
		return err
	}
	for _, size := range r.sizes {
		if err := s.growTo(ctx, size); err != nil {
			return err
		}
		if err := s.close(); err != nil {
			return err
		}
		if err := os.CopyFS(filepath.Join(dir, storeDir(size)), os.DirFS(quick)); err != nil {
			return err
		}
		if s, err = r.open(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// growTo puts copies of the one passkey until there are size.
func (s *stack) growTo(ctx context.Context, size int) error {
	var template *authenticator.Credential
	for c, err := range s.store.Each() {
		if err != nil {
			return err
		}
		template = c
		break
	}
	if template == nil {
		return errors.New("there is no passkey to copy")
	}
	count, err := s.store.Count()
	if err != nil {
		return err
	}
	for i := count; i < size; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := *template
		c.ID = make([]byte, len(template.ID))
		if _, err := rand.Read(c.ID); err != nil {
			return err
		}
		// Five to a site, as a person has them who has many.
		c.RP = ctap.RelyingParty{ID: fmt.Sprintf("site-%d.example", i/5), Name: "A site"}
		c.User = ctap.User{ID: fmt.Appendf(nil, "user %d", i), Name: fmt.Sprintf("user%d@example.com", i), DisplayName: "A user"}
		c.Created = time.Now()
		if err := s.store.Put(&c); err != nil {
			return err
		}
	}
	return nil
}

func (s *stack) platform() ctap.Platform {
	return ctap.Platform{Authenticator: s.channel, Protocol: pinuv.Two}
}

func (s *stack) token(ctx context.Context, permission ctap.Permission) (pinuv.Token, error) {
	pin := examplePIN()
	defer pin.Wipe()
	return s.platform().TokenWithPIN(ctx, pin, permission, rpID)
}

// register makes a passkey, which replaces the one before of the same account.
func (s *stack) register(ctx context.Context) error {
	token, err := s.token(ctx, ctap.PermissionMakeCredential)
	if err != nil {
		return err
	}
	defer token.Wipe()
	return s.registerWith(ctx, token)
}

func (s *stack) registerWith(ctx context.Context, token pinuv.Token) error {
	hash := make([]byte, 32)
	param := token.Authenticate(hash)
	_, err := s.channel.MakeCredential(ctx, &ctap.MakeCredentialRequest{
		ClientDataHash: hash, RP: &ctap.RelyingParty{ID: rpID},
		User:           &ctap.User{ID: []byte("alice"), Name: "alice"},
		Parameters:     []ctap.Parameter{{Algorithm: cose.ES256, Type: ctap.PublicKeyType}},
		Options:        &ctap.Options{RK: new(true)},
		PINUVAuthParam: &param, PINUVAuthProtocol: token.Protocol(),
	})
	return err
}

// signInWith signs in; without a token the PIN is typed at our own prompt.
func (s *stack) signInWith(ctx context.Context, token *pinuv.Token) error {
	request := &ctap.GetAssertionRequest{RPID: rpID, ClientDataHash: make([]byte, 32)}
	if token != nil {
		param := token.Authenticate(request.ClientDataHash)
		request.PINUVAuthParam, request.PINUVAuthProtocol = &param, token.Protocol()
	} else {
		request.Options = &ctap.Options{UV: new(true)}
	}
	_, err := s.channel.GetAssertion(ctx, request)
	return err
}
