package main

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/test/bench/figures"
)

// chip is what is published of one: how long a light command and TPM2_Sign with P-256
// take, at the most.
type chip struct {
	name        string
	light, sign time.Duration
	// through: the figures are of what goes through Linux's resource manager, its
	// swapping included, and not of what is on the bus.
	through bool
}

// chips are from measurements that others have published; none was measured by us.
func chips() []chip {
	ms := func(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
	return []chip{
		{"ST33 in a ThinkPad X13, Linux", ms(21), ms(42.3), true},
		{"Infineon SLB9670", ms(8.9), ms(68.9), false},
		{"Infineon SLB9672", ms(9.1), ms(35.6), false},
		{"ST33KTPM2X", ms(6.5), ms(25.3), false},
		{"Nuvoton NPCT750", ms(7.5), ms(56.4), false},
		{"Nuvoton NPCT650", ms(13.1), ms(190.1), false},
		{"Nationz NS350", ms(8.0), ms(16.8), false},
		{"OP-TEE on a Jetson Orin", ms(0.9), ms(45.1), false},
	}
}

// drag waits until c would have answered a command that was sent at began and made
// reached commands at the chip: all but a signature are light.
func (c *chip) drag(began time.Time, reached int64, command []byte) {
	if c == nil || reached == 0 {
		return
	}
	if c.through {
		reached = 1
	}
	takes := time.Duration(reached) * c.light
	if len(command) >= 10 && tpm2.TPMCC(binary.BigEndian.Uint32(command[6:])) == tpm2.TPMCCSign {
		takes += c.sign - c.light
	}
	wait(context.Background(), time.Until(began.Add(takes)))
}

// wait waits, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// What is modelled, and for how long the person thinks meanwhile.
const (
	modelSection = "Modelled on published chips: a software TPM that answers as late (median)"
	modelBare    = "its TPM2_Sign"
	modelAfter   = "after the gesture"
	modelTotal   = "in all, answered at once"

	modelHesitation = 300 * time.Millisecond
	modelRuns       = 3
)

// model has the TPM be as slow as each chip: all is done for real, at that pace.
func (r *rig) model(ctx context.Context, runs int, t *table) (err error) {
	b, err := newBare(ctx, r.opener())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.conn.Close()) }()
	defer r.slow.Store(nil)
	for _, c := range chips() {
		m := samples{}
		for range min(runs, modelRuns) {
			r.slow.Store(&c)
			if err := r.sampleModel(ctx, b, m); err != nil {
				return err
			}
		}
		base := figures.Median(m[modelBare][0]) / 1e3
		for _, what := range []string{modelBare, modelAfter, modelTotal} {
			line := row{
				Section: modelSection, Name: c.name + ", " + what, Value: figures.Median(m[what][0]) / 1e3, Unit: "ms",
				Marks: []figures.Mark{{Drawing: figures.Chips, Of: c.name, Series: what}},
			}
			if what != modelBare {
				line.Ratio, line.Against = line.Value/base, modelBare
			}
			if what == modelAfter {
				line = line.Bound("≤ 1.5", line.Ratio, signLimit)
				line.Marks = append(line.Marks, figures.Mark{Drawing: figures.Gesture, Of: c.name + " *"})
			}
			t.modelled = append(t.modelled, line)
		}
	}
	return nil
}

func (r *rig) sampleModel(ctx context.Context, b *bare, m samples) error {
	took, err := b.sign()
	if err != nil {
		return err
	}
	m.add(modelBare, 0, took)
	for what, hesitates := range map[string]time.Duration{modelTotal: 0, modelAfter: modelHesitation} {
		took, _, err := r.stacks[0].timed(ctx, ctap.PermissionGetAssertion, hesitates)
		if err != nil {
			return err
		}
		m.add(what, 0, took)
	}
	return nil
}
