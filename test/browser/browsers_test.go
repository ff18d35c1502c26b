//go:build e2e && linux

package browser_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/demo/site"
	"github.com/localpasskey/localpasskey/test/browser"
	"github.com/localpasskey/localpasskey/test/vm"
)

// What a person knows, and what not. xdotool cannot be relied on to type an "ä".
const (
	pin      = "vier 4 tore"
	wrongPIN = "0000"
)

// screenshots names a directory for pictures of the browsers' dialogs, where wanted.
const screenshots = "LOCALPASSKEY_SCREENSHOTS"

// guestLimit is four times what the guest needs on two processors of its own, in seconds
// of which a third goes into starting three browsers.
const guestLimit = 15 * time.Minute

// TestBrowsers has Chromium and Firefox use the authenticator at a site that runs beside
// them: the kernel's HID device, the machine's TPM, and no part of a browser replaced.
func TestBrowsers(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{
			MemoryMiB: 6144, Limit: guestLimit,
			Programs: []string{authenticatord}, Keep: os.Getenv(screenshots),
		})
		return
	}
	s, err := site.Open(t.Context(), "127.0.0.1:0", "")
	check(t, err)
	t.Cleanup(func() { check(t, s.Close(context.Background())) })
	told := &told{}
	chromium := &visitor{name: "Chromium", told: told, accounts: [2]string{"alice", "bob"}, counters: map[string]uint32{}}
	firefox := &visitor{name: "Firefox", told: told, accounts: [2]string{"dave", "fay"}, counters: map[string]uint32{}}
	headless := launch(t, browser.StartChromium, browser.Config{Dir: t.TempDir()})
	fox := launch(t, browser.StartFirefox, browser.Config{Dir: t.TempDir()})
	withChromium(t, s, chromium, headless)
	key := withFirefox(t, s, firefox, fox)
	told.report(t)
	withBoth(t, chromium, firefox, key)
}

// withChromium does the everyday headless, and what needs a dialog's end on a display.
func withChromium(t *testing.T, s *site.Site, v *visitor, headless func(*testing.T) *browser.Chromium) {
	state := t.TempDir()
	v.key = plug(t, state)
	setPIN(t, pin)
	v.browser = headless(t)
	display, err := browser.StartDisplay(t.Context(), t.TempDir())
	check(t, err)
	t.Cleanup(func() { check(t, display.Close()) })
	windowed := launch(t, browser.StartChromium, browser.Config{Dir: t.TempDir(), Display: display})
	v.visit(t, s)
	v.try(t, everyday()...)
	check(t, v.browser.Close())

	v.browser, v.display = windowed(t), display
	v.visit(t, s)
	v.try(t, refusals()...)
	v.key.pull(t)
	v.key = plug(t, state, "-uv=false")
	v.try(t, typed()...)
	v.key.pull(t)
}

// withFirefox does all headless: its dialogs are answered from inside. It gives the state
// of its key.
func withFirefox(t *testing.T, s *site.Site, v *visitor, launched func(*testing.T) *browser.Firefox) (state string) {
	state = t.TempDir()
	v.key = plug(t, state)
	setPIN(t, pin)
	firefox := launched(t)
	v.browser = firefox
	v.visit(t, s)
	window := watch(t, firefox)
	v.try(t, everyday()...)
	v.try(t, refusals()...)
	v.key.pull(t)
	v.key = plug(t, state, "-uv=false")
	v.try(t, asking(window)...)
	v.key.pull(t)
	return state
}

// withBoth gives Chromium an account on Firefox's key, and lets them meet.
func withBoth(t *testing.T, chromium, firefox *visitor, state string) {
	firefox.key = plug(t, state)
	chromium.key, chromium.accounts[0] = firefox.key, "gus"
	chromium.try(t, trial{"registers with the key of Firefox", registers})
	chromium.try(t, together(firefox)...)
}

// launch starts a browser beside what else is going on; the function it gives waits for it.
func launch[B browser.Browser](t *testing.T, start func(context.Context, browser.Config) (B, error), c browser.Config) func(*testing.T) B {
	t.Helper()
	var b B
	var err error
	ready := make(chan struct{})
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	go func() {
		defer close(ready)
		b, err = start(ctx, c)
	}()
	t.Cleanup(func() {
		cancel()
		if <-ready; err == nil {
			check(t, b.Close())
		}
	})
	return func(t *testing.T) B {
		t.Helper()
		<-ready
		check(t, err)
		t.Logf("%T: waited until %s after its start", b, time.Since(began).Round(100*time.Millisecond))
		return b
	}
}
