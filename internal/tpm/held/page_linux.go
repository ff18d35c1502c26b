package held

import "golang.org/x/sys/unix"

func notDumped(page []byte) error { return unix.Madvise(page, unix.MADV_DONTDUMP) }
