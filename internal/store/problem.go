package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/store/seal"
)

// ErrLocked answers every method that needs the metadata key before Unlock.
var ErrLocked = errors.New("the store is locked")

// ErrClosed answers every method after Close.
var ErrClosed = errors.New("the store is closed")

func (s *Store) busy() error {
	return &ctap.Problem{
		Status: ctap.Other,
		What:   "another localpasskey is using this store",
		Hint:   "stop the other one, or use it: it holds " + s.path,
	}
}

func (s *Store) foreign() error {
	return &ctap.Problem{
		Status: ctap.Other,
		What:   s.path + " is not a LocalPasskey store",
		Hint:   "move that file away, or name another path",
	}
}

func (s *Store) otherSchema(found uint32) error {
	return &ctap.Problem{
		Status: ctap.Other,
		What:   fmt.Sprintf("the store has format %d, and this localpasskey reads format %d only", found, schema),
		Hint:   "use the version of localpasskey that wrote " + s.path,
	}
}

func (s *Store) cutShort() error {
	return &ctap.Problem{
		Status: ctap.IntegrityFailure,
		What:   "the store is cut short: the end of the file is missing",
		Hint:   s.startAfresh(),
	}
}

func (s *Store) wrongKey() error {
	return &ctap.Problem{
		Status: ctap.Other,
		What:   "this machine's key does not open the store",
		Hint:   s.path + " may come from another machine; " + s.startAfresh(),
	}
}

// damaged says that what the file holds is not what was written to it.
func (s *Store) damaged(cause error) error {
	return &ctap.Problem{
		Status: ctap.IntegrityFailure,
		What:   "the store failed its integrity check",
		Hint:   s.startAfresh(),
		Cause:  cause,
	}
}

func (s *Store) startAfresh() string {
	return "the file was left as it is; to begin anew without its passkeys, move " + s.path + " away and run `localpasskey setup`"
}

// damage is seal.Damage: damage found inside a transaction.
func damage(format string, args ...any) error { return seal.Damage(format, args...) }

// explain turns what came out of a transaction into what the caller gets.
func (s *Store) explain(err error) error {
	var problem *ctap.Problem
	var status ctap.Status
	var integrity *seal.IntegrityError
	switch {
	case err == nil, errors.Is(err, ErrLocked), errors.Is(err, ErrClosed):
		return err
	case errors.As(err, &problem), errors.As(err, &status):
		return err
	case errors.As(err, &integrity):
		return s.damaged(err)
	case diskFull(err):
		return &ctap.Problem{
			Status: ctap.KeyStoreFull,
			What:   "the disk is full; nothing was changed",
			Hint:   "make room where " + s.path + " is and try again",
			Cause:  err,
		}
	default:
		return &ctap.Problem{
			Status: ctap.Other,
			What:   "the store cannot be read or written",
			Hint:   "look at the disk and the permissions of " + s.path,
			Cause:  err,
		}
	}
}

// diskFull tells whether there was no room. Where bbolt lets the file grow it keeps no
// more of the error than its words.
func diskFull(err error) bool {
	return slices.ContainsFunc([]error{unix.ENOSPC, unix.EDQUOT, unix.EFBIG}, func(full error) bool {
		return errors.Is(err, full) || strings.HasSuffix(err.Error(), full.Error())
	})
}
