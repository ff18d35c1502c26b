package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// hesitation is how long the person thinks where what comes after the gesture is
// measured: all that can be prepared has been by then.
const hesitation = 40 * time.Millisecond

// What is measured. The names are those of the rows.
const (
	signInTotal   = "sign in, token at hand, in all"
	signInAfter   = "sign in, after the gesture"
	signInPIN     = "sign in, after the PIN is typed at our prompt"
	registerTotal = "register, token at hand, in all"
	registerAfter = "register, after the gesture"
	bareSign      = "bare Sign"
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
		for what, command := range map[string]func() (time.Duration, error){bareSign: b.sign, bareCreate: b.create} {
			took, err := command()
			if err != nil {
				return err
			}
			m.add(what, 0, took)
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

// sample takes one sample of each kind.
func (s *stack) sample(ctx context.Context, m samples) error {
	for what, hesitates := range map[string]time.Duration{signInTotal: 0, signInAfter: hesitation} {
		took, err := s.timed(ctx, ctap.PermissionGetAssertion, hesitates)
		if err != nil {
			return err
		}
		m.add(what, s.size, took)
	}
	for what, hesitates := range map[string]time.Duration{registerTotal: 0, registerAfter: hesitation} {
		took, err := s.timed(ctx, ctap.PermissionMakeCredential, hesitates)
		if err != nil {
			return err
		}
		m.add(what, s.size, took)
	}
	took, err := s.timed(ctx, 0, hesitation)
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

// timed times the whole request of a person who does not hesitate, and what comes
// after the gesture of one who does.
func (s *stack) timed(ctx context.Context, permission ctap.Permission, hesitates time.Duration) (time.Duration, error) {
	at, err := observe(ctx, s, permission, hesitates, time.Now)
	if hesitates > 0 {
		return at[answered].Sub(at[acted]), err
	}
	return at[answered].Sub(at[asked]), err
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

func (r *rig) report(m samples, t *table) {
	const commands = "TPM commands without us (median)"
	base := map[string]float64{bareSign: micros(m[bareSign][0]), bareCreate: micros(m[bareCreate][0])}
	base[bareBoth] = base[bareSign] + base[bareCreate]
	t.add(row{Section: commands, Name: "TPM2_Sign, key loaded, empty password", Value: base[bareSign], Unit: "µs"})
	t.add(row{Section: commands, Name: "TPM2_Create, P-256", Value: base[bareCreate], Unit: "µs"})
	against := map[string]string{
		signInTotal: bareSign, signInAfter: bareSign, signInPIN: bareSign,
		registerTotal: bareBoth, registerAfter: bareSign,
	}
	order := []string{signInTotal, signInAfter, signInPIN, registerTotal, registerAfter, durableWrite}
	for _, size := range r.sizes {
		for _, what := range order {
			value := micros(m[what][size])
			line := row{
				Section: fmt.Sprintf("What a person waits for, %d passkeys in the store (median)", size),
				Name:    what, Value: value, Unit: "µs",
			}
			if name := against[what]; name != "" {
				line.Against, line.Ratio = name, value/base[name]
			}
			if what == signInAfter {
				line = line.bound("≤ 1.5", line.Ratio, signLimit)
			}
			t.add(line)
		}
	}
	for _, what := range order {
		line := row{
			Section: "Growth", Name: what, Value: micros(m[what][r.sizes.most()]), Unit: "µs",
			Against: fmt.Sprintf("with %d passkeys", r.sizes.few()),
		}
		line.Ratio = line.Value / micros(m[what][r.sizes.few()])
		if what != durableWrite { // it is a part of the others, and they are what is waited for
			line = line.bound("none (≤ 1.2)", line.Ratio, growthLimit)
		}
		t.add(line)
	}
}

// signInCounted and afterTheGesture name the rows that model works with.
const (
	signInCounted   = "sign in, sent"
	afterTheGesture = ", after the gesture"
)

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
			t.add(row{Section: section, Name: what.name + ", " + where + afterTheGesture, Value: float64(after), Unit: "commands"})
		}
	}
	return nil
}

// measureOpening times what the daemon does before its first answer.
func (r *rig) measureOpening(ctx context.Context, runs int, t *table) error {
	var took []time.Duration
	last := r.stacks[len(r.stacks)-1]
	for range min(runs, 11) {
		if err := last.close(); err != nil {
			return err
		}
		began := time.Now()
		s, err := r.open(ctx, last.path)
		if err != nil {
			return err
		}
		if _, err := s.channel.GetInfo(ctx); err != nil {
			return errors.Join(err, s.close())
		}
		took = append(took, time.Since(began))
		s.size = last.size
		last = s
		r.stacks[len(r.stacks)-1] = s
	}
	line := row{Section: r.daemonSection(), Name: "store and TPM opened to first answer, in process", Value: micros(took) / 1e3, Unit: "ms"}
	t.add(line.bound("< 150 ms", line.Value, startLimit))
	return nil
}

func (r *rig) daemonSection() string { return fmt.Sprintf("The daemon, %d passkeys", r.sizes.most()) }
