package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Ours: how far the clock may be before this program was made, and after.
const (
	mostBefore = 24 * time.Hour // clocks of other time zones
	mostAfter  = 30 * 365 * 24 * time.Hour
)

// leastFree is what the store's file system should have free, in bytes. Ours: a store grows
// by pages, and each change writes some anew.
const leastFree = 64 << 20

// serviceStores is where the service keeps stores.
const serviceStores = "/var/lib/localpasskey"

// clock compares the time with when this program was made. Dates of passkeys and of the
// audit trail come from it; nothing that protects a key does.
func (m Machine) clock() Finding {
	const check = "clock"
	now := m.Now.UTC().Format("2006-01-02 15:04 MST")
	info, err := os.Stat(m.Program)
	if err != nil {
		return notNeeded(check, now+"; there is nothing to compare it with")
	}
	made := info.ModTime()
	hint := "set it: sudo timedatectl set-ntp true; until then the dates of passkeys and of the audit trail are wrong"
	switch {
	case m.Now.Before(made.Add(-mostBefore)):
		return wrong(check, now+" is before this program was made, "+made.UTC().Format("2006-01-02"), hint)
	case m.Now.After(made.Add(mostAfter)):
		return wrong(check, now+" is more than thirty years after this program was made", hint)
	default:
		return ok(check, now)
	}
}

// disk looks whether there is room for the store.
func (m Machine) disk() Finding {
	const check = "disk space"
	dir := filepath.Dir(m.Store)
	switch {
	case m.has(serviceStores):
		dir = m.at(serviceStores)
	case m.Store == "":
		return notNeeded(check, "the system names no place for the store")
	}
	for { // until there is a directory: the store may not be made yet
		_, err := os.Stat(dir)
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	var about unix.Statfs_t
	if err := unix.Statfs(dir, &about); err != nil {
		return wrong(check, fmt.Sprintf("%s cannot be looked at: %v", dir, err), "look at its permissions")
	}
	free := about.Bavail * uint64(about.Bsize) //nolint:gosec,nolintlint // Its type differs by system; a size is not negative.
	text := fmt.Sprintf("%d MiB free in %s", free>>20, dir)
	if free < leastFree {
		return wrong(check, text+": passkeys that are made or used may fail", "make room: nothing is answered before it is on the disk")
	}
	return ok(check, text)
}
