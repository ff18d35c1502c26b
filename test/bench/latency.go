package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/test/bench/figures"
)

// hesitation is how long the person thinks where what comes after the gesture is
// measured: all that can be prepared has been by then.
const hesitation = 40 * time.Millisecond

// What is measured. The names are those of the rows.
const (
	signInTotal   = "sign in, token at hand, in all"
	signInAfter   = "sign in, after the gesture"
	signInWarm    = "the same, over a TPM2_Sign that came right after another"
	signInOurs    = "of that, not in the TPM"
	signInPIN     = "sign in, after the PIN is typed at our prompt"
	registerTotal = "register, token at hand, in all"
	registerAfter = "register, after the gesture"
	bareSign      = "bare Sign"
	bareAfter     = "bare Sign after the same wait"
	bareCreate    = "bare Create"
	bareBoth      = "bare Create + Sign"
	durableWrite  = "one durable write of the store (a counter)"
)

// The aims that are figures.
const (
	signLimit    = 1.5 // × bare Sign
	growthLimit  = 1.2 // × the smallest store; less is noise
	startLimit   = 150 // ms
	memoryLimit  = 40  // MB
	programLimit = 15  // MB
)

// samples are durations by what was measured and how large the store was.
type samples map[string]map[int][]time.Duration

func (m samples) add(what string, size int, took time.Duration) {
	if m[what] == nil {
		m[what] = map[int][]time.Duration{}
	}
	m[what][size] = append(m[what][size], took)
}

// measureLatency takes turns with all that a person waits for.
func (r *rig) measureLatency(ctx context.Context, runs int, t *table) (err error) {
	b, err := newBare(ctx, r.opener())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.conn.Close()) }()
	m := samples{}
	for range runs {
		if err := b.sample(ctx, m); err != nil {
			return err
		}
		for _, s := range r.stacks {
			if err := s.sample(ctx, m); err != nil {
				return fmt.Errorf("with %d passkeys: %w", s.size, err)
			}
		}
	}
	r.report(m, t)
	return nil
}

// sample takes one sample of each command. What a person waits for after the gesture
// finds processors that have been idle; to be fair, so does a Sign after the same wait.
func (b *bare) sample(ctx context.Context, m samples) error {
	wait(ctx, hesitation)
	took, err := b.sign()
	m.add(bareAfter, 0, took)
	if err == nil {
		took, err = b.sign()
		m.add(bareSign, 0, took)
	}
	if err == nil {
		took, err = b.create()
		m.add(bareCreate, 0, took)
	}
	return err
}

// sample takes one sample of each kind.
func (s *stack) sample(ctx context.Context, m samples) error {
	for what, hesitates := range map[string]time.Duration{signInTotal: 0, signInAfter: hesitation} {
		took, ours, err := s.timed(ctx, ctap.PermissionGetAssertion, hesitates)
		if err != nil {
			return err
		}
		m.add(what, s.size, took)
		if what == signInAfter {
			m.add(signInOurs, s.size, ours)
		}
	}
	for what, hesitates := range map[string]time.Duration{registerTotal: 0, registerAfter: hesitation} {
		took, _, err := s.timed(ctx, ctap.PermissionMakeCredential, hesitates)
		if err != nil {
			return err
		}
		m.add(what, s.size, took)
	}
	took, _, err := s.timed(ctx, 0, hesitation)
	if err != nil {
		return err
	}
	m.add(signInPIN, s.size, took)
	return s.sampleWrite(m)
}

// The moments of a request.
const (
	asked = iota
	acted // the person: has begun to type the PIN, or says yes
	answered
)

// observe uses a passkey, with a fresh token that has the permission or with 0 by the
// PIN at our own prompt, and looks at each moment.
func observe[T any](ctx context.Context, s *stack, permission ctap.Permission, hesitates time.Duration, look func() T) (seen [3]T, err error) {
	use := func() error { return s.signInWith(ctx, nil) }
	if permission != 0 {
		token, err := s.token(ctx, permission)
		if err != nil {
			return seen, err
		}
		defer token.Wipe()
		use = func() error { return s.signInWith(ctx, &token) }
		if permission == ctap.PermissionMakeCredential {
			use = func() error { return s.registerWith(ctx, token) }
		}
	}
	s.person.takes, s.person.acts = hesitates, func() { seen[acted] = look() }
	seen[asked] = look()
	err = use()
	seen[answered] = look()
	return seen, err
}

// moment is when something was, and how long the TPM had been at work by then.
type moment struct {
	at   time.Time
	busy time.Duration
}

func (r *rig) now() moment { return moment{time.Now(), time.Duration(r.busy.Load())} }

// timed times the whole request of a person who does not hesitate, and what comes
// after the gesture of one who does; ours is what of it was not the TPM's.
func (s *stack) timed(ctx context.Context, permission ctap.Permission, hesitates time.Duration) (took, ours time.Duration, err error) {
	seen, err := observe(ctx, s, permission, hesitates, s.rig.now)
	from := seen[asked]
	if hesitates > 0 {
		from = seen[acted]
	}
	took = seen[answered].at.Sub(from.at)
	return took, took - (seen[answered].busy - from.busy), err
}

// sampleWrite times what a sign-in does durably, which on a real machine is a disk's
// business, not ours.
func (s *stack) sampleWrite(m samples) error {
	for c, err := range s.store.Each() {
		if err != nil {
			return err
		}
		began := time.Now()
		if _, err := s.store.NextSignCount(c.ID); err != nil {
			return err
		}
		m.add(durableWrite, s.size, time.Since(began))
		return nil
	}
	return errors.New("the store is empty")
}

// kind is one row for each size of the store.
type kind struct{ what, against string }

// kinds are in the order of the rows.
func kinds() []kind {
	return []kind{
		{signInTotal, bareSign},
		{signInAfter, bareAfter},
		{signInOurs, ""},
		{signInPIN, bareAfter},
		{registerTotal, bareBoth},
		{registerAfter, bareAfter},
		{durableWrite, ""},
	}
}

func (r *rig) report(m samples, t *table) {
	const commands = "TPM commands without us (median)"
	base := map[string]float64{}
	for _, what := range []string{bareSign, bareAfter, bareCreate} {
		base[what] = figures.Median(m[what][0])
	}
	base[bareBoth] = base[bareSign] + base[bareCreate]
	t.add(row{Section: commands, Name: "TPM2_Sign, key loaded, empty password, right after another (" + bareSign + ")", Value: base[bareSign], Unit: "µs"})
	t.add(row{
		Section: commands, Name: fmt.Sprintf("TPM2_Sign, after %d ms in which nobody did anything (%s)", hesitation.Milliseconds(), bareAfter),
		Value: base[bareAfter], Unit: "µs", Against: bareSign, Ratio: base[bareAfter] / base[bareSign],
	})
	t.add(row{Section: commands, Name: "TPM2_Create, P-256 (" + bareCreate + ")", Value: base[bareCreate], Unit: "µs"})
	for _, size := range r.sizes {
		for _, k := range kinds() {
			line := k.row(size, figures.Median(m[k.what][size]), base[k.against])
			t.add(line)
			if k.what == signInAfter { // and over the least that a Sign takes
				t.add(row{Section: line.Section, Name: signInWarm, Value: line.Value, Unit: "µs", Against: bareSign, Ratio: line.Value / base[bareSign]})
			}
		}
	}
	few, most := r.sizes[0], r.sizes[len(r.sizes)-1]
	for _, k := range kinds() {
		line := row{
			Section: fmt.Sprintf("Growth, from %s to %s passkeys", figures.Grouped(few), figures.Grouped(most)), Name: k.what,
			Value: figures.Median(m[k.what][most]), Unit: "µs", Against: fmt.Sprintf("with %d passkeys", few),
		}
		line.Ratio = line.Value / figures.Median(m[k.what][few])
		if k.what != durableWrite && k.what != signInOurs { // parts of the others, and those are what is waited for
			line = line.Bound("none (≤ 1.2)", line.Ratio, growthLimit)
		}
		t.add(line)
	}
}

// row is k's for a store of that size; base is what its ratio is to.
func (k kind) row(size int, value, base float64) row {
	count := figures.Grouped(size) + " passkeys"
	line := row{
		Section: fmt.Sprintf("What a person waits for, %s in the store (median)", count), Name: k.what, Value: value, Unit: "µs",
	}
	if k.what != signInOurs {
		line.Marks = append(line.Marks, figures.Mark{Drawing: figures.Growth, Series: k.what, X: float64(size)})
	}
	if k.against != "" {
		line.Against, line.Ratio = k.against, value/base
	}
	if k.what == signInAfter {
		line.Marks = append(line.Marks, figures.Mark{Drawing: figures.Gesture, Of: "sign in, " + count})
		return line.Bound("≤ 1.5", line.Ratio, signLimit)
	}
	return line
}

// countCommands counts what reaches the TPM: as we send it, and as the kernel's
// resource manager makes of it, which swaps around every command.
func (r *rig) countCommands(ctx context.Context, t *table) error {
	const section = "TPM commands"
	look := func() [2]int64 { return [2]int64{r.sent.Load(), r.chip.Commands()} }
	for _, what := range []struct {
		name       string
		permission ctap.Permission
	}{{"sign in", ctap.PermissionGetAssertion}, {"sign in by PIN at our prompt", 0}, {"register", ctap.PermissionMakeCredential}} {
		seen, err := observe(ctx, r.stacks[0], what.permission, hesitation, look)
		if err != nil {
			return err
		}
		for i, where := range []string{"sent", "at the chip, behind /dev/tpmrm0"} {
			in, after := seen[answered][i]-seen[asked][i], seen[answered][i]-seen[acted][i]
			t.add(row{Section: section, Name: what.name + ", " + where, Value: float64(in), Unit: "commands"})
			t.add(row{Section: section, Name: what.name + ", " + where + ", after the gesture", Value: float64(after), Unit: "commands"})
		}
	}
	return nil
}
