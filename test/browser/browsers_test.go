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

// guestLimit is several times what the guest needs on two processors of its own; a third of
// that goes into starting three browsers.
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
	headless := launch(t, s, browser.StartChromium, browser.Config{Dir: t.TempDir()})
	fox := launch(t, s, browser.StartFirefox, browser.Config{Dir: t.TempDir()})
	withChromium(t, s, chromium, headless)
	key := withFirefox(t, firefox, fox)
	told.report(t)
	withBoth(t, chromium, firefox, key)
}

// withChromium does the everyday headless, and what needs a dialog's end on a display.
func withChromium(t *testing.T, s *site.Site, v *visitor, headless *launched[*browser.Chromium]) {
	state := t.TempDir()
	v.key = plug(t, state)
	setPIN(t, pin)
	v.browser, v.page = headless.wait(t)
	display, err := browser.StartDisplay(t.Context(), t.TempDir())
	check(t, err)
	t.Cleanup(func() { check(t, display.Close()) })
	windowed := launch(t, s, browser.StartChromium, browser.Config{Dir: t.TempDir(), Display: display})
	v.try(t, everyday()...)
	v.try(t, extensions()...)
	check(t, v.browser.Close())

	v.browser, v.page = windowed.wait(t)
	v.display = display
	v.try(t, refusals()...)
	v.key.pull(t)
	v.key = plug(t, state, "-uv=false")
	v.try(t, typed()...)
	v.key.pull(t)
	v.key = plug(t, t.TempDir(), "-uv=false")
	v.try(t, firstPIN(), changedPIN())
	v.key.pull(t)
}

// withFirefox does all headless: its dialogs are answered from inside. It gives the state
// of its key.
func withFirefox(t *testing.T, v *visitor, headless *launched[*browser.Firefox]) (state string) {
	state = t.TempDir()
	v.key = plug(t, state)
	setPIN(t, pin)
	firefox, page := headless.wait(t)
	v.browser, v.page = firefox, page
	window := watch(t, firefox)
	v.try(t, everyday()...)
	v.try(t, extensions()...)
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

// launched is a browser that has the site open, or soon will.
type launched[B browser.Browser] struct {
	browser B
	page    browser.Page
	err     error
	began   time.Time
	ready   chan struct{}
}

// launch starts a browser beside what else is going on, for that takes long here.
func launch[B browser.Browser](t *testing.T, s *site.Site, start func(context.Context, browser.Config) (B, error), c browser.Config) *launched[B] {
	t.Helper()
	l := &launched[B]{began: time.Now(), ready: make(chan struct{})}
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	started := false
	go func() {
		defer close(l.ready)
		if l.browser, l.err = start(ctx, c); l.err != nil {
			return
		}
		started = true
		if l.page, l.err = l.browser.Open(ctx, s.Origin+"/"); l.err == nil {
			l.err = l.page.Evaluate(ctx, "(() => {"+ceremonyScript+"})()", nil)
		}
	}()
	t.Cleanup(func() {
		cancel()
		if <-l.ready; started {
			check(t, l.browser.Close())
		}
	})
	return l
}

// wait waits until the site is open.
func (l *launched[B]) wait(t *testing.T) (B, browser.Page) {
	t.Helper()
	<-l.ready
	check(t, l.err)
	t.Logf("%T: %s after its start the site is open in it", l.browser, time.Since(l.began).Round(100*time.Millisecond))
	return l.browser, l.page
}
