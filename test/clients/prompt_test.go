//go:build e2e && linux

package clients

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/demo/site"
	"github.com/localpasskey/localpasskey/test/browser"
	"github.com/localpasskey/localpasskey/test/vm"
)

// screenshots names a directory on the host that gets the pictures; "" for none.
const screenshots = "LOCALPASSKEY_SCREENSHOTS"

// graphicalPIN has keys that every keyboard has.
const graphicalPIN = "4711 is not mine"

// TestGraphicalPrompt answers a graphical pinentry program on a screen, with keys: what a
// person sees who makes a key for ssh, and who registers and signs in with a browser.
func TestGraphicalPrompt(t *testing.T) {
	if !vm.Inside() {
		vm.Run(t, vm.Config{Programs: machinePrograms(), Keep: os.Getenv(screenshots), MemoryMiB: 4096, Limit: 8 * time.Minute})
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	display, err := browser.StartDisplay(ctx, t.TempDir())
	check(t, err)
	defer func() { check(t, display.Close()) }()
	t.Setenv("DISPLAY", display.Name)
	m := start(t)
	m.localpasskey(t, graphicalPIN+"\n", "setup", "--pin-stdin")
	settle(t)
	m.launch(t, "agent", "--pinentry", "pinentry-gtk-2")
	m.attended(t)
	t.Run("ssh-keygen", func(t *testing.T) { keygenOnScreen(ctx, t, m, display) })
	t.Run("Chromium", func(t *testing.T) { browseOnScreen(ctx, t, m, display) })
}

// keygenOnScreen makes a key, with a wrong PIN and the right one.
func keygenOnScreen(ctx context.Context, t *testing.T, m *machine, display *browser.Display) {
	file := filepath.Join(t.TempDir(), "id_ecdsa_sk")
	cmd := exec.CommandContext(ctx, "ssh-keygen", "-t", "ecdsa-sk", "-N", "", "-C", "alice", "-f", file)
	printed := make(chan []byte, 1)
	go func() {
		out, err := cmd.CombinedOutput()
		if err != nil {
			out = append(out, err.Error()...)
		}
		printed <- out
	}()
	take(ctx, t, display, "prompt-gtk.png")
	check(t, display.Type(ctx, "wrong"))
	check(t, display.Press(ctx, "Return"))
	check(t, display.Await(ctx, func(screen image.Image) bool { return !lit(screen) }))
	take(ctx, t, display, "prompt-gtk-wrong.png")
	check(t, display.Type(ctx, graphicalPIN))
	check(t, display.Press(ctx, "Return"))
	out := <-printed
	t.Logf("$ ssh-keygen -t ecdsa-sk\n%s", out)
	contains(t, string(out), "Your public key has been saved")
	contains(t, m.localpasskey(t, "", "list"), "ssh:")
	if s := m.status(t); s.Retries != 8 {
		t.Errorf("%d tries are left", s.Retries)
	}
}

// browseOnScreen registers and signs in with the buttons of the demo's page.
func browseOnScreen(ctx context.Context, t *testing.T, m *machine, display *browser.Display) {
	s, err := site.Open(ctx, "127.0.0.1:0", "")
	check(t, err)
	defer func() { check(t, s.Close(ctx)) }()
	b, err := browser.StartChromium(ctx, browser.Config{Dir: t.TempDir(), Display: display})
	check(t, err)
	defer func() { check(t, b.Close()) }()
	page, err := b.Open(ctx, s.Origin+"/")
	check(t, err)
	for _, step := range []struct{ button, done, picture string }{
		{"register", "Registered.", "chromium-register.png"}, {"discover", "Signed in.", "chromium-signin.png"},
	} {
		// The dialog of the step before is not this one's.
		check(t, display.Await(ctx, func(screen image.Image) bool { return !prompted(screen) }))
		check(t, page.Evaluate(ctx, "document.getElementById('"+step.button+"').click()", nil))
		check(t, display.Await(ctx, prompted))
		time.Sleep(time.Second) // until it has drawn all of itself
		keep(t, display, step.picture)
		check(t, display.Type(ctx, graphicalPIN))
		check(t, display.Press(ctx, "Return"))
		status := ""
		eventually(t, step.done, func() bool {
			check(t, page.Evaluate(ctx, "document.getElementById('status').textContent", &status))
			return status != "Waiting for you and your browser…"
		})
		if status != step.done {
			t.Fatalf("the page says %q", status)
		}
		keep(t, display, "done-"+step.picture)
	}
	contains(t, m.localpasskey(t, "", "list"), "localhost")
}

// prompted tells whether much of the screen has the color of pinentry's dialog.
func prompted(screen image.Image) bool {
	const much = 30_000
	dialog := color.RGBA{R: 0xDC, G: 0xDA, B: 0xD5, A: 0xFF}
	pixels := 0
	b := screen.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if color.RGBAModel.Convert(screen.At(x, y)) == dialog {
				pixels++
			}
		}
	}
	return pixels > much
}

// keep keeps a picture of all that is shown.
func keep(t *testing.T, display *browser.Display, name string) {
	t.Helper()
	picture, err := display.Screenshot()
	check(t, err)
	check(t, os.WriteFile(filepath.Join(vm.Kept(), name), picture, 0o600))
}

// take keeps a picture of the dialog, as soon as there is one.
func take(ctx context.Context, t *testing.T, display *browser.Display, name string) {
	t.Helper()
	check(t, display.Await(ctx, lit))
	time.Sleep(time.Second) // until it has drawn all of itself
	encoded, err := display.Screenshot()
	check(t, err)
	screen, err := png.Decode(bytes.NewReader(encoded))
	check(t, err)
	file, err := os.Create(filepath.Join(vm.Kept(), name))
	check(t, err)
	check(t, png.Encode(file, cut(screen)))
	check(t, file.Close())
}

// lit tells whether the middle of the screen is not black: something is shown.
func lit(screen image.Image) bool {
	b := screen.Bounds()
	return !black(screen.At(b.Dx()/2, b.Dy()/2))
}

func black(c color.Color) bool {
	r, g, b, _ := c.RGBA()
	return r+g+b == 0
}

// cut gives what is not black of a screen.
func cut(screen image.Image) image.Image {
	var shown image.Rectangle
	b := screen.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if !black(screen.At(x, y)) {
				shown = shown.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	picture := image.NewRGBA(shown)
	draw.Draw(picture, shown, screen, shown.Min, draw.Src)
	return picture
}
