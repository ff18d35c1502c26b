package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestKeepToOurselves(t *testing.T) {
	if err := keepToOurselves(); err != nil {
		t.Fatal(err)
	}
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 0 {
		t.Errorf("dumpable is %d, %v; want 0", dumpable, err)
	}
}
