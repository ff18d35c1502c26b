package manager

import (
	"context"
	"errors"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// openPatience is how long an opener that cannot open anything may take to say so.
const openPatience = 3 * time.Second

// Show opens the link in the person's browser. The browser is handed a private file that
// leads there and not the link, which everybody could read in the list of processes.
// clean removes the file.
func Show(ctx context.Context, url string) (clean func() error, err error) {
	dir, err := os.MkdirTemp("", "localpasskey-")
	if err != nil {
		return nil, err
	}
	clean = func() error { return os.RemoveAll(dir) }
	file := filepath.Join(dir, "manage.html")
	content := `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">` +
		`<meta http-equiv="refresh" content="0; url=` + html.EscapeString(url) + `"><title>LocalPasskey</title>`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		return nil, errors.Join(err, clean())
	}
	opener := "xdg-open"
	if runtime.GOOS == "darwin" {
		opener = "open"
	}
	// A browser that was not running yet may run as the opener's child: it is not waited
	// for, and outlives us.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), opener, file) //nolint:gosec // our own file
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, clean())
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-time.After(openPatience):
	case <-ctx.Done():
	}
	if err != nil {
		return nil, errors.Join(err, clean())
	}
	return clean, nil
}
