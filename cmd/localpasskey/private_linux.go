package main

import "golang.org/x/sys/unix"

// keepToOurselves keeps other processes of the same user from attaching to this one
// and from reading its memory, where a PIN is for a moment, and keeps the memory out
// of core dumps.
func keepToOurselves() error {
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
