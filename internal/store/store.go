package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/store/notes"
	"github.com/localpasskey/localpasskey/internal/store/pages"
	"github.com/localpasskey/localpasskey/internal/store/seal"
)

// schema is the version of this file format; sealed values carry it too.
const schema = seal.Version

// Ours: how long Open waits for another instance to end, and Used gathers notes.
const (
	lockPatience  = time.Second
	lockRetry     = 50 * time.Millisecond
	notePatience  = 500 * time.Millisecond
	filePerm      = 0o600
	directoryPerm = 0o700
)

// Store is one user's store. Its methods may be called from several goroutines.
type Store struct {
	path string
	file *os.File
	db   *bbolt.DB

	mu     sync.RWMutex // held to read by readers, to write by writers
	keys   *seal.Keys   // nil while locked
	closed bool
	broke  atomic.Bool // a transaction ended in a panic: none runs any more

	noteMu sync.Mutex
	notes  notes.Notes // not yet written
	timer  *time.Timer
}

var _ authenticator.Store = (*Store)(nil)

// Open opens the store at path, an absolute file name, and makes it where it is
// missing (directory 0700, file 0600). The store is locked until Unlock. Errors
// are a *ctap.Problem: another instance has it open, not a store, another schema
// version, cut short, damaged.
func Open(path string) (*Store, error) {
	s := &Store{path: path, notes: notes.New()}
	if err := s.create(); err != nil {
		return nil, s.explain(err)
	}
	err := guarded(func() (err error) {
		s.db, err = bbolt.Open(path, filePerm, &bbolt.Options{OpenFile: s.openChecked, NoStatistics: true})
		return err
	})
	if err == nil {
		err = s.view(checkSchema(s))
	}
	if err != nil {
		return nil, errors.Join(s.explain(err), s.release())
	}
	return s, nil
}

// create makes an empty store unless something is there. It comes into being
// whole, by a link, so that neither a crash nor a second instance can leave or
// see half of one.
func (s *Store) create() error {
	if _, err := os.Lstat(s.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(s.path)
	if err := os.MkdirAll(dir, directoryPerm); err != nil {
		return err
	}
	made, err := os.MkdirTemp(dir, ".new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(made) }()
	fresh := filepath.Join(made, filepath.Base(s.path))
	db, err := bbolt.Open(fresh, filePerm, nil)
	if err != nil {
		return err
	}
	err = db.Update(newFile)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Link(fresh, s.path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDirectory(dir)
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// openChecked opens the file for bbolt, waits for its lock (which bbolt then
// takes again, to no effect) and looks it over. It never creates.
func (s *Store) openChecked(path string, _ int, _ os.FileMode) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := s.lockAndCheck(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	s.file = file
	return file, nil
}

func (s *Store) lockAndCheck(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return s.foreign()
	}
	if err := s.lock(file); err != nil {
		return err
	}
	if info, err = file.Stat(); err != nil { // again: it may have grown meanwhile
		return err
	}
	switch err := pages.Check(file, info.Size()); {
	case errors.Is(err, pages.ErrForeign):
		return s.foreign()
	case errors.Is(err, pages.ErrCutShort):
		return s.cutShort()
	case errors.Is(err, pages.ErrDamaged):
		return s.damaged(err)
	default:
		return err
	}
}

// lock makes this the only instance, waiting a while for another to end.
func (s *Store) lock(file *os.File) error {
	retry := time.NewTicker(lockRetry)
	defer retry.Stop()
	enough := time.After(lockPatience)
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("lock: %w", err)
		}
		select {
		case <-retry.C:
		case <-enough:
			return s.busy()
		}
	}
}

// checkSchema makes sure that the file is ours and of this version.
func checkSchema(s *Store) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		head := tx.Bucket([]byte(bucketHead))
		if head == nil {
			return s.foreign()
		}
		version := head.Get([]byte(entrySchema))
		if len(version) != schemaBytes {
			return damage("the schema version is missing")
		}
		if found := binary.BigEndian.Uint32(version); found != schema {
			return s.otherSchema(found)
		}
		return nil
	}
}

// Close writes the notes that wait, forgets the keys and gives the file free.
func (s *Store) Close() error {
	s.noteMu.Lock()
	if s.timer != nil {
		s.timer.Stop()
	}
	empty := s.notes.Empty()
	s.noteMu.Unlock()
	var flushed error
	if !empty {
		flushed = s.flush()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.keys != nil {
		s.keys.Wipe()
		s.keys = nil
	}
	return errors.Join(flushed, s.explain(s.release()))
}

// release gives the file free: without bbolt after a panic, for its locks may be held for
// ever. Its mapping then stays until the process ends, and would keep the file's lock.
func (s *Store) release() error {
	switch {
	case s.db != nil && !s.broke.Load():
		return s.db.Close()
	case s.file != nil:
		_ = unix.Flock(int(s.file.Fd()), unix.LOCK_UN)
		_ = s.file.Close() // bbolt may have closed it already
	}
	return nil
}

// view runs do in a transaction that only reads. The caller holds mu.
func (s *Store) view(do func(*bbolt.Tx) error) error {
	return s.transact(s.db.View, do)
}

// update runs do in a transaction that is durable when update returns nil. The
// caller holds mu to write.
func (s *Store) update(do func(*bbolt.Tx) error) error {
	return s.transact(s.db.Update, do)
}

// transact is the boundary to bbolt. After a panic nothing goes through it any
// more: bbolt may still hold its locks.
func (s *Store) transact(run func(func(*bbolt.Tx) error) error, do func(*bbolt.Tx) error) error {
	switch {
	case s.closed:
		return ErrClosed
	case s.broke.Load():
		return s.damaged(errors.New("an earlier transaction broke off"))
	}
	err := guarded(func() error { return run(do) })
	if _, ok := errors.AsType[*panicError](err); ok {
		s.broke.Store(true)
	}
	return s.explain(err)
}

// panicError is a panic, or a fault in the mapped file, that became an error.
type panicError struct{ reason any }

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.reason) }

// guarded runs do, and turns a panic or a fault into an error.
func guarded(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if reason := recover(); reason != nil {
			err = &seal.IntegrityError{Cause: &panicError{reason: reason}}
		}
	}()
	return do()
}
