package keychain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Ours: how long another process may take, and how often we look.
const (
	lockPatience = 5 * time.Second
	lockRetry    = 20 * time.Millisecond
)

// Lock keeps other processes, and other requests of this one, out of the entries.
// A process that dies gives the lock free.
func (e Entries) Lock(ctx context.Context) (unlock func(), err error) {
	file, err := os.OpenFile(e.LockFile, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := wait(ctx, file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() {
		_ = file.Close() // which gives the lock free
	}, nil
}

func wait(ctx context.Context, file *os.File) error {
	ctx, cancel := context.WithTimeoutCause(ctx, lockPatience, &ctap.Problem{
		Status: ctap.Other, What: "another LocalPasskey is busy with the passkeys", Hint: "try again",
	})
	defer cancel()
	retry := time.NewTicker(lockRetry)
	defer retry.Stop()
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil || !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
