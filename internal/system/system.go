package system

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/daemon"
	"github.com/localpasskey/localpasskey/internal/prompt"
	"github.com/localpasskey/localpasskey/internal/socket"
	"github.com/localpasskey/localpasskey/internal/tpm"
	"github.com/localpasskey/localpasskey/internal/tpm/turns"
)

// storeFile is a user's store, in the directory that his uid names.
const storeFile = "passkeys.db"

// nobody is the uid of no user, and the account of all who are none.
const nobody = -1

// socketMode lets everybody connect: who may do what is decided by uid.
const socketMode = 0o666

// Config is what a Service is made of. All but Plug, Presence and FingerprintBus is required.
type Config struct {
	// StateDir is the directory of the users' stores, an absolute name.
	StateDir string
	OpenTPM  tpm.Opener
	// Plug makes the device by which a user's programs find the authenticator; nil
	// for none.
	Plug func(uid int) (daemon.Device, error)
	// Presence calls changed with who is at the machine, first and whenever that
	// changes, by uid, until ctx ends; before the first call it is nobody. nil where
	// everybody always is.
	Presence func(ctx context.Context, changed func(present map[int]Screen) (applied <-chan struct{}))
	// FingerprintBus is daemon.Config's. It wants Presence.
	FingerprintBus string
	// Known tells whether a uid is a user of this machine who may set up a store; root
	// always may.
	Known   func(uid int) bool
	Version string
	Log     *slog.Logger
}

// Service is one daemon for all users.
type Service struct {
	Config

	alive   context.Context //nolint:containedctx // The users' daemons live as long as the service.
	end     context.CancelFunc
	turns   turns.Turns
	nobody  *daemon.Daemon
	mu      sync.Mutex
	tenants map[int]*tenant // by uid
	present map[int]Screen  // by uid
}

// Screen is what is known of the screen that a user sits in front of.
type Screen struct {
	// Tells: its desktop has told of a lock of the screen before.
	Tells bool
}

// tenant is a user with a daemon.
type tenant struct {
	*daemon.Daemon

	uid      int
	begin    sync.Once
	applying sync.Mutex // held while its presence changes
	away     bool       // guarded by applying
}

// New makes a service. It touches nothing yet.
func New(c Config) *Service {
	s := &Service{Config: c, tenants: map[int]*tenant{}}
	s.alive, s.end = context.WithCancel(context.Background())
	s.nobody = daemon.NewFor(nobody, daemon.Config{
		StorePath: filepath.Join(c.StateDir, strconv.Itoa(nobody), storeFile), OpenTPM: c.OpenTPM,
		User: prompt.Nobody{Log: c.Log}, Version: c.Version, Log: c.Log,
	})
	return s
}

// Run is the whole life of a system service: it serves at l, or where that is nil at a
// socket of its own, until ctx ends. listening is called when callers can connect.
func Run(ctx context.Context, c Config, l *socket.Listener, socketPath string, listening func()) (err error) {
	s := New(c)
	if l == nil {
		if l, err = socket.Listen(socketPath, socketMode); err != nil { //nolint:contextcheck // It waits for nobody.
			return err
		}
	}
	listening()
	return s.Serve(ctx, l)
}

// Serve offers the devices of all who have a store, and answers the callers of l, until
// ctx ends. It closes l.
func (s *Service) Serve(ctx context.Context, l *socket.Listener) error {
	users, err := s.withStore()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	var beginning sync.WaitGroup
	for _, uid := range users {
		beginning.Go(func() { s.of(uid) }) //nolint:contextcheck // It stays as long as the service.
	}
	if s.Presence != nil {
		beginning.Go(func() { s.Presence(s.alive, s.setPresent) })
	}
	err = socket.Serve(ctx, l, s, s.Log)
	s.end()
	beginning.Wait()
	return errors.Join(err, s.close())
}

// withStore lists the users who have a store.
func (s *Service) withStore() ([]int, error) {
	entries, err := os.ReadDir(s.StateDir)
	if err != nil {
		return nil, &ctap.Problem{
			Status: ctap.Other, Cause: err,
			What: "the stores in " + s.StateDir + " cannot be listed",
			Hint: "the service's own user needs that directory; systemd makes it (StateDirectory=localpasskey)",
		}
	}
	var users []int
	for _, e := range entries {
		uid, err := strconv.Atoi(e.Name())
		if err == nil && uid >= 0 && strconv.Itoa(uid) == e.Name() && s.hasStore(uid) {
			users = append(users, uid)
		}
	}
	return users, nil
}

func (s *Service) storePath(uid int) string {
	return filepath.Join(s.StateDir, strconv.Itoa(uid), storeFile)
}

func (s *Service) hasStore(uid int) bool {
	_, err := os.Lstat(s.storePath(uid))
	return err == nil
}

// close ends the users' daemons, all at once.
func (s *Service) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, 0, len(s.tenants))
	var ending sync.WaitGroup
	var mu sync.Mutex
	for _, t := range s.tenants {
		ending.Go(func() {
			err := errors.Join(t.End(), t.Close())
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	ending.Wait()
	return errors.Join(errs...)
}

// of gives the daemon of a user, begun; that of nobody for a uid that is no user's.
func (s *Service) of(uid int) *daemon.Daemon {
	if s.Account(uid) == nobody {
		return s.nobody
	}
	s.mu.Lock()
	t := s.tenants[uid]
	if t == nil {
		t = &tenant{uid: uid, Daemon: daemon.NewFor(uid, s.configFor(uid))}
		s.tenants[uid] = t
	}
	s.mu.Unlock()
	t.begin.Do(func() {
		s.apply(t)
		t.Begin(s.alive)
	})
	return t.Daemon
}

func (s *Service) configFor(uid int) daemon.Config {
	log := s.Log.With("owner", uid)
	c := daemon.Config{
		StorePath: s.storePath(uid),
		OpenTPM:   s.turns.Of(uid, s.OpenTPM),
		User:      prompt.Nobody{Log: log},
		Version:   s.Version,
		Log:       log,
	}
	if s.Presence != nil {
		c.FingerprintBus = s.FingerprintBus
	}
	if s.Plug != nil {
		c.Plug = func() (daemon.Device, error) { return s.Plug(uid) }
	}
	return c
}

// Account is a user's own, and one of all uids that are nobody's.
func (s *Service) Account(uid int) int {
	if uid == 0 || s.hasStore(uid) || s.Known(uid) {
		return uid
	}
	return nobody
}

// Channel opens a channel to the caller's own authenticator.
func (s *Service) Channel(caller ctap.Caller) ctap.Authenticator {
	return s.of(caller.UID).Channel(caller)
}

// Attend takes up an agent for its own user.
func (s *Service) Attend(caller ctap.Caller) (func(ctx context.Context, questions ctap.Exchanger), error) {
	return s.of(caller.UID).Attend(caller)
}
