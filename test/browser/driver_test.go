//go:build e2e && linux

package browser_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/demo/site"
	"github.com/localpasskey/localpasskey/test/browser"
)

// TestDrivers tries what the drivers promise, without a virtual machine.
func TestDrivers(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s, err := site.Open(ctx, "127.0.0.1:0", "")
	check(t, err)
	t.Cleanup(func() { check(t, s.Close(context.Background())) })
	t.Run("Chromium", func(t *testing.T) {
		display, err := browser.StartDisplay(ctx, t.TempDir())
		check(t, err)
		t.Cleanup(func() { check(t, display.Close()) })
		dir := t.TempDir()
		b, err := browser.StartChromium(ctx, browser.Config{Dir: dir, Display: display})
		check(t, err)
		_, err = b.Log().Wait(ctx, 0, "DevTools listening on ws://127.0.0.1:")
		check(t, err)
		drive(ctx, t, b, s)
		typeText(ctx, t, b, display, s)
		check(t, b.Close())
		gone(t, dir)
	})
	t.Run("Firefox", func(t *testing.T) {
		dir := t.TempDir()
		b, err := browser.StartFirefox(ctx, browser.Config{Dir: dir})
		check(t, err)
		drive(ctx, t, b, s)
		var name string
		check(t, b.Window().Evaluate(ctx, "Services.appinfo.name", &name))
		if name != "Firefox" {
			t.Errorf("the window's program is %q", name)
		}
		check(t, b.Close())
		gone(t, dir)
	})
}

// drive does what every browser can.
func drive(ctx context.Context, t *testing.T, b browser.Browser, s *site.Site) {
	t.Helper()
	page, err := b.Open(ctx, s.Origin+"/")
	check(t, err)
	var got struct {
		Title  string
		Answer int
	}
	check(t, page.Evaluate(ctx, `new Promise(done => setTimeout(() => done({title: document.title, answer: 42}), 10))`, &got))
	if got.Answer != 42 || !strings.HasPrefix(got.Title, "LocalPasskey") {
		t.Errorf("%+v", got)
	}
	if err := page.Evaluate(ctx, `Promise.reject(new TypeError("as it should"))`, nil); err == nil || !strings.Contains(err.Error(), "TypeError: as it should") {
		t.Errorf("what the page threw came as %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if err := page.Evaluate(short, `new Promise(() => {})`, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a promise that is not kept ended with %v", err)
	}
	shot, err := page.Screenshot(ctx)
	check(t, err)
	if picture := decoded(t, shot); picture.Bounds().Dx() < 500 {
		t.Errorf("the page is %v", picture.Bounds())
	}
	check(t, page.Close(ctx))
}

// typeText types at the display, and the page reads it.
func typeText(ctx context.Context, t *testing.T, b browser.Browser, display *browser.Display, s *site.Site) {
	t.Helper()
	page, err := b.Open(ctx, s.Origin+"/")
	check(t, err)
	check(t, display.Await(ctx, func(screen image.Image) bool { return screen.Bounds().Dx() == 1000 }))
	// A window gets the keyboard some time after it is there.
	var value string
	for value != "b-4 x" && ctx.Err() == nil {
		check(t, page.Evaluate(ctx, `document.getElementById("account").select()`, nil))
		check(t, display.Type(ctx, "b-4 y"))
		check(t, display.Press(ctx, "BackSpace", "x"))
		check(t, page.Evaluate(ctx, `document.getElementById("account").value`, &value))
	}
	if value != "b-4 x" {
		t.Errorf("the page has read %q", value)
	}
	shot, err := display.Screenshot()
	check(t, err)
	if size := decoded(t, shot).Bounds().Size(); size != image.Pt(1000, 800) {
		t.Errorf("the screen is %v", size)
	}
}

func decoded(t *testing.T, shot []byte) image.Image {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(shot))
	check(t, err)
	return picture
}

// gone waits until no process is left of a browser whose directory was dir: those that were
// killed end when the kernel comes to it.
func gone(t *testing.T, dir string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		left := processes(t, dir)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("there is still %q", left)
		}
	}
}

// processes gives the command lines that have that in them.
func processes(t *testing.T, dir string) (lines []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	check(t, err)
	for _, file := range all {
		line, _ := os.ReadFile(file) // it may end meanwhile
		if bytes.Contains(line, []byte(dir)) {
			lines = append(lines, string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return lines
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
