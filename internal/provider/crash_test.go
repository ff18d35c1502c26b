package provider_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/provider"
)

// TestCrashAtRegistration: the process dies before each step. Nothing is left over
// after the next start, and the person has the passkey that the site knows.
func TestCrashAtRegistration(t *testing.T) {
	t.Parallel()
	crashes := 0
	for step := 1; ; step++ {
		w := newWorld(t)
		old := w.mustRegister("octocat")
		site := newSite(t, old)
		w.restart()
		w.crashAt = step
		if renewed := w.register(registration("octocat")); renewed != nil {
			site = newSite(t, renewed)
		}
		if !w.dead {
			break
		}
		crashes++
		when := fmt.Sprintf("after a crash before step %d, %s", step, w.steps[len(w.steps)-1])
		w.restart()
		if err := w.provider().Refresh(t.Context()); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		w.consistent(when)
		a := w.assert(site.id)
		if a == nil {
			t.Fatalf("%s: the site's passkey is gone: %v", when, w.cancelled)
		}
		site.verify(t, a)
		w.mustRegister("octocat") // whatever piled up goes
		w.consistent(when)
		if len(w.keys) != 1 {
			t.Errorf("%s: %d passkeys in the end", when, len(w.keys))
		}
	}
	if crashes < 15 {
		t.Errorf("only %d crashes", crashes)
	}
	t.Logf("%d crashes", crashes)
}

// TestFailureAtRegistration: each step fails once. Without an answer there is
// nothing new, and what was there is.
func TestFailureAtRegistration(t *testing.T) {
	t.Parallel()
	failures := 0
	for step := 1; ; step++ {
		w := newWorld(t)
		old := w.mustRegister("octocat")
		keys, entries, offered := maps.Clone(w.keys), maps.Clone(w.entries), fmt.Sprint(w.identities)
		w.restart()
		w.failAt = []int{step}
		r := w.register(registration("octocat"))
		if len(w.steps) < step {
			break
		}
		failures++
		when := fmt.Sprintf("step %d, %s, failed", step, w.steps[step-1])
		if r == nil {
			w.cancelledWith(when, provider.Failed)
			if !maps.Equal(keys, w.keys) || fmt.Sprint(entries) != fmt.Sprint(w.entries) || offered != fmt.Sprint(w.identities) {
				t.Errorf("%s: it is not as before", when)
			}
			w.restart()
			newSite(t, old).verify(t, w.assert(old.ID))
			continue
		}
		// The answer was taken; only tidying failed, and the next use does it.
		if len(w.cancelled) != 0 {
			t.Errorf("%s: answered and cancelled", when)
		}
		site := newSite(t, r)
		w.restart()
		if a := w.assert(r.ID); a == nil {
			t.Errorf("%s: the new passkey does not work: %v", when, w.cancelled)
		} else {
			site.verify(t, a)
		}
		if err := w.provider().Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		w.consistent(when)
		if len(w.keys) != 1 {
			t.Errorf("%s: %d passkeys in the end", when, len(w.keys))
		}
	}
	t.Logf("%d failures", failures)
}

// TestDoubleFailure: the step and one of taking it back fail. Nothing of it is left
// after the next start, but for a passkey that no site knows where its entry could
// not be deleted: the next registration replaces that.
func TestDoubleFailure(t *testing.T) {
	t.Parallel()
	for first := 1; first <= 12; first++ {
		for second := first + 1; second <= first+6; second++ {
			w := newWorld(t)
			old := w.mustRegister("octocat")
			site := newSite(t, old)
			w.restart()
			w.failAt = []int{first, second}
			if r := w.register(registration("octocat")); r != nil {
				site = newSite(t, r)
			}
			when := fmt.Sprintf("steps %d and %d failed", first, second)
			w.restart()
			if err := w.provider().Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.consistent(when)
			if a := w.assert(site.id); a == nil {
				t.Errorf("%s: the site's passkey is gone", when)
			} else {
				site.verify(t, a)
			}
			w.mustRegister("octocat")
			if len(w.keys) != 1 {
				t.Errorf("%s: %d passkeys in the end", when, len(w.keys))
			}
		}
	}
}

// TestCrashAtSignIn: the count that a site has seen is never given again.
func TestCrashAtSignIn(t *testing.T) {
	t.Parallel()
	for step := 1; ; step++ {
		w := newWorld(t)
		r := w.mustRegister("octocat")
		site := newSite(t, r)
		site.verify(t, w.assert(r.ID))
		w.restart()
		w.crashAt = step
		if a := w.assert(r.ID); a != nil {
			site.verify(t, a)
		}
		if !w.dead {
			break
		}
		w.restart()
		site.verify(t, w.assert(r.ID))
		w.consistent(fmt.Sprintf("crash before step %d", step))
	}
}

// TestCrashAtDelete: a passkey that was to be deleted is there or not, never half.
func TestCrashAtDelete(t *testing.T) {
	t.Parallel()
	for step := 1; ; step++ {
		w := newWorld(t)
		r, other := w.mustRegister("octocat"), w.mustRegister("hubot")
		w.restart()
		w.crashAt = step
		err := w.provider().Delete(t.Context(), r.ID)
		if !w.dead {
			if err != nil || len(w.keys) != 1 {
				t.Errorf("%d keys, %v", len(w.keys), err)
			}
			break
		}
		w.restart()
		if err := w.provider().Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.consistent(fmt.Sprintf("crash before step %d", step))
		if w.keys[string(other.ID)] == nil {
			t.Error("another passkey went")
		}
	}
}

// TestAnsweredOnce: over all crashes and failures there is never a second answer.
func TestAnsweredOnce(t *testing.T) {
	t.Parallel()
	for step := 1; step < 30; step++ {
		w := newWorld(t)
		w.failAt = []int{step}
		r := w.register(registration("octocat"))
		if n := len(w.registered) + len(w.cancelled); n != 1 {
			t.Errorf("step %d failed: %d answers", step, n)
		}
		if r == nil {
			continue
		}
		w.restart()
		w.failAt = []int{step}
		w.assert(r.ID)
		if n := len(w.asserted) + len(w.cancelled); n != 1 && !slices.Contains(w.steps, "complete assertion") {
			t.Errorf("step %d of a sign-in failed: %d answers", step, n)
		}
	}
}

// TestLogNamesNoSite: whatever fails, the log tells neither site nor account nor key.
func TestLogNamesNoSite(t *testing.T) {
	t.Parallel()
	lines := 0
	for step := 1; step < 20; step++ {
		w := newWorld(t)
		r := w.mustRegister("octocat")
		for _, act := range []func(){
			func() { w.register(registration("octocat")) },
			func() { w.assert(r.ID) },
			func() { w.provider().ReportUpdate(t.Context(), "example.com", []byte("handle of octocat"), "mona") },
		} {
			w.restart()
			w.failAt = []int{step}
			act()
		}
		lines += strings.Count(w.log.String(), "\n")
		for _, secret := range []string{"example", "octocat", "mona", "handle"} {
			if strings.Contains(w.log.String(), secret) {
				t.Errorf("step %d failed, and the log says %q: %s", step, secret, w.log.String())
			}
		}
	}
	if lines < 20 {
		t.Errorf("only %d lines were logged", lines)
	}
}
