package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Display is an X server whose screen is a file: nobody sees it, but a picture can be
// taken of it and keys can be typed at it.
type Display struct {
	// Name is what DISPLAY says to its clients.
	Name string

	*process
	screen string
}

// StartDisplay starts one that keeps its files in dir; ctx bounds how long that may
// take.
func StartDisplay(ctx context.Context, dir string) (_ *Display, err error) {
	d := &Display{screen: filepath.Join(dir, "Xvfb_screen0")}
	number := filepath.Join(dir, "number")
	// It finds a number that is free and tells it through a file descriptor.
	d.process, err = start(ctx, dir, nil, "sh", "-c", `exec Xvfb -displayfd 3 -screen 0 1000x800x24 -fbdir "$0" -nolisten tcp 3>"$1"`, dir, number)
	if err != nil {
		return nil, err
	}
	err = d.await(ctx, "waiting for the X server", func() bool {
		content, err := os.ReadFile(number)
		d.Name = ":" + strings.TrimSpace(string(content))
		return err == nil && strings.HasSuffix(string(content), "\n")
	})
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Close ends it, and with it what shows windows there.
func (d *Display) Close() error { return d.stop() }

// Type types a text where the keyboard's focus is.
func (d *Display) Type(ctx context.Context, text string) error {
	return d.do(ctx, "type", "--delay", "50", text)
}

// Press presses keys by their X names, "Return" or "ctrl+a", one after the other.
func (d *Display) Press(ctx context.Context, keys ...string) error {
	return d.do(ctx, append([]string{"key"}, keys...)...)
}

func (d *Display) do(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "xdotool", args...)
	cmd.Env = append(cmd.Environ(), "DISPLAY="+d.Name)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("xdotool %s: %w: %s", args[0], err, bytes.TrimSpace(out))
	}
	return nil
}

// Await waits until the screen shows what is looked for.
func (d *Display) Await(ctx context.Context, shows func(screen image.Image) bool) error {
	for {
		picture, err := d.picture()
		if err != nil || shows(picture) {
			return err
		}
		select {
		case <-time.After(4 * glance): // decoding a screen is work
		case <-ctx.Done():
			return fmt.Errorf("the screen does not show it: %w", ctx.Err())
		}
	}
}

// Screenshot gives a PNG of the whole screen.
func (d *Display) Screenshot() ([]byte, error) {
	picture, err := d.picture()
	if err != nil {
		return nil, err
	}
	var encoded bytes.Buffer
	err = png.Encode(&encoded, picture)
	return encoded.Bytes(), err
}

func (d *Display) picture() (image.Image, error) {
	dump, err := os.ReadFile(d.screen)
	if err != nil {
		return nil, err
	}
	return decodeXWD(dump)
}
