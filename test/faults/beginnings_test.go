//go:build linux

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/swtpm"
)

// setUp and reset are no operations like the others: they begin something.
func setUp() operation {
	return operation{name: "set-up", run: func(ctx context.Context, w *world) error {
		_, err := w.channel().Vendor(ctx, ctap.CommandSetup, nil)
		return err
	}}
}

func reset() operation {
	return operation{name: "reset", run: func(ctx context.Context, w *world) error { return w.channel().Reset(ctx) }}
}

// TestTPMFaultsAtSetUp lets the TPM fail at each command of a set-up. The next one works,
// and nothing hinders it.
func TestTPMFaultsAtSetUp(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8)) // the same moments every time
	total := newFigures()
	fresh := func() *world {
		chip, err := swtpm.Start(t.Context(), t.TempDir())
		check(t, err)
		return worldOn(t, chip, inTempDir(t))
	}
	w := fresh()
	check(t, setUp().run(t.Context(), w))
	commands := w.line.count()
	w.end()
	for range rounds(20) {
		w := fresh()
		f, n := tpmFaults()[random.IntN(len(tpmFaults()))], random.IntN(commands)+1
		when := fmt.Sprintf("set-up, command %d, %s", n, f.name)
		err := w.meets(f, setUp(), n)
		total.rounds++
		total.saw(err)
		w.answered(f, err, when)
		if err != nil {
			check(t, setUp().run(t.Context(), w))
		}
		w.setPIN()
		check(t, operations()[registering].run(t.Context(), w))
		total.acknowledged++
		w.verify(when)
		w.end()
		total.lost, total.left = total.lost+w.lost, total.left+w.left
		if t.Failed() {
			break
		}
	}
	total.log(t, "TPM fails at set-up")
}

// TestTPMFaultsAtReset lets the TPM fail at each command of a reset. Either all is as it
// was, or nothing is left and a new life begins.
func TestTPMFaultsAtReset(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10)) // the same moments every time
	w := populated(t, inTempDir(t))
	before := w.line.count()
	check(t, reset().run(t.Context(), w))
	commands := w.line.count() - before
	w.begun()
	kept := 0
	for range rounds(30) {
		f, n := tpmFaults()[random.IntN(len(tpmFaults()))], random.IntN(commands)+1
		when := fmt.Sprintf("reset, command %d, %s", n, f.name)
		w.rounds++
		err := w.meets(f, reset(), n)
		w.saw(err)
		w.answered(f, err, when)
		if s := w.status(); s.PINSet {
			kept++
			if err == nil {
				t.Errorf("%s: acknowledged, and not done", when)
			}
		} else {
			w.begun()
		}
		check(t, operations()[registering].run(t.Context(), w))
		w.acknowledged++
		w.verify(when)
		if t.Failed() {
			break
		}
	}
	t.Logf("%d times the old life went on", kept)
	w.log(t, "TPM fails at reset")
}

// begun is the life after a reset.
func (w *world) begun() {
	w.Helper()
	clear(w.known)
	w.blobs, w.alwaysUV = nil, true
	w.setPIN()
}
