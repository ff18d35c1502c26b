//go:build e2e && linux

package main

import (
	"crypto/rand"
	"os"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctaptest/hidtest"
	"github.com/localpasskey/localpasskey/internal/uhid"
	"github.com/localpasskey/localpasskey/test/vm"
)

// TestMessagesThroughTheKernel has the longest messages that we promise to take go through /dev/uhid and a hidraw
// node, and shows how many do in a second. They come back as they were.
func TestMessagesThroughTheKernel(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{})
		return
	}
	t.Run("pings", func(t *testing.T) {
		d, err := uhid.Create("/dev/uhid", uhid.Info{Name: "bench", Unique: rand.Text()})
		if err != nil {
			t.Fatal(err)
		}
		node, err := d.Node(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.OpenFile(node, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		took, err := pings(t.Context(), d, hidtest.Hidraw{File: file}, promised, 301)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range throughput("through /dev/uhid and hidraw, in a virtual machine", promised, took) {
			t.Logf("%s: %.1f %s", r.Name, r.Value, r.Unit)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
}
