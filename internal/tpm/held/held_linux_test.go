package held

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var generation = [16]byte{1}

func auth() []byte { return bytes.Repeat([]byte{7}, 32) }

func holding(lifetime time.Duration) *PIN {
	p := New(func() time.Duration { return lifetime })
	p.Keep(generation, auth())
	return p
}

// gone: nothing is held, and nothing of it is left in memory.
func (p *PIN) gone(t *testing.T, what string) {
	t.Helper()
	if _, err := p.Show(generation); !errors.Is(err, ErrNone) || p.Is() {
		t.Errorf("%s: it is held", what)
	}
	if bytes.ContainsAny(p.page, string(auth())) {
		t.Errorf("%s: it is left in memory", what)
	}
}

func TestOffByDefault(t *testing.T) {
	t.Parallel()
	holding(0).gone(t, "with no lifetime")
	var none *PIN
	none.Keep(generation, auth())
	none.Drop()
	none.SetAway(true)
	if _, err := none.Show(generation); !errors.Is(err, ErrNone) || none.Is() || none.Uses() != 0 || none.Trouble() != nil {
		t.Error("nil holds something")
	}
	// Switched off while it is held.
	lifetime := time.Hour
	p := New(func() time.Duration { return lifetime })
	p.Keep(generation, auth())
	lifetime = 0
	if _, err := p.Show(generation); !errors.Is(err, ErrNone) || p.Is() {
		t.Error("shown although it is switched off")
	}
}

func TestDropped(t *testing.T) {
	t.Parallel()
	for what, drop := range map[string]func(*PIN){
		"dropped":        (*PIN).Drop,
		"away":           func(p *PIN) { p.SetAway(true) },
		"typed away":     func(p *PIN) { p.SetAway(true); p.Keep(generation, auth()) },
		"five strangers": func(p *PIN) { repeat(MaxMissed, p.Missed) },
		"typed when off": func(p *PIN) { p.lifetime = func() time.Duration { return 0 }; p.Keep(generation, auth()) },
	} {
		p := holding(time.Hour)
		if got, err := p.Show(generation); err != nil || !bytes.Equal(got, auth()) || !p.Is() {
			t.Fatalf("held: %x, %v", got, err)
		}
		if _, err := p.Show([16]byte{2}); !errors.Is(err, ErrNone) {
			t.Error("shown to another generation")
		}
		drop(p)
		p.gone(t, what)
	}
	p := holding(time.Hour)
	p.SetAway(true)
	p.SetAway(false)
	p.gone(t, "back again")
	repeat(MaxMissed-1, p.Missed)
	p.Keep(generation, auth())
	repeat(MaxMissed-1, p.Missed)
	p.Matched()
	repeat(MaxMissed-1, p.Missed)
	if !p.Is() {
		t.Error("dropped after fewer than five strangers in a row")
	}
	if got := p.Uses(); got != 2*(MaxMissed-1)+1 {
		t.Errorf("%d uses", got)
	}
}

func repeat(n int, do func()) {
	for range n {
		do()
	}
}

// The time runs from the PIN; a finger does not prolong it, and an old timer does not end
// what was typed later.
func TestHeldForItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := holding(time.Hour)
		time.Sleep(30 * time.Minute)
		p.Matched()
		time.Sleep(30*time.Minute - 1)
		if !p.Is() {
			t.Error("dropped too early")
		}
		time.Sleep(2 * time.Nanosecond)
		synctest.Wait()
		p.gone(t, "after its time")
		p.Keep(generation, auth())
		time.Sleep(30 * time.Minute)
		p.Keep(generation, auth())
		time.Sleep(45 * time.Minute)
		synctest.Wait()
		if !p.Is() {
			t.Error("an old timer has ended it")
		}
		p.Drop()
	})
}

// The kernel says of the page that it is locked and not dumped.
func TestLockedMemory(t *testing.T) {
	t.Parallel()
	p := holding(time.Hour)
	if err := p.Trouble(); err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(maps), fmt.Sprintf("%x-", &p.page[0]))
	if !ok {
		_, rest, ok = strings.Cut(string(maps), strings.TrimPrefix(fmt.Sprintf("%p-", &p.page[0]), "0x"))
	}
	_, flags, _ := strings.Cut(rest, "VmFlags:")
	flags, _, _ = strings.Cut(flags, "\n")
	if !ok || !strings.Contains(flags, " lo") || !strings.Contains(flags, " dd") {
		t.Errorf("the page's flags are %q (%v)", flags, ok)
	}
}
