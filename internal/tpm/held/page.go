package held

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lockedPage is a page of memory outside of the garbage collector's, which the kernel
// never writes to swap or, where it has a word for that, to a core dump.
func lockedPage() ([]byte, error) {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	if err := unix.Mlock(page); err != nil {
		return nil, errors.Join(fmt.Errorf("mlock: %w", err), unix.Munmap(page))
	}
	if err := notDumped(page); err != nil {
		return nil, errors.Join(fmt.Errorf("madvise: %w", err), unix.Munmap(page))
	}
	return page, nil
}
