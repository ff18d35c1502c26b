package autofill

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// Ours: the extension's log. macOS throws away what an extension writes to stderr.
const (
	logName     = "extension.log"
	oldLogName  = "extension.old.log"
	maxLogBytes = 1 << 20
)

// OpenLog opens the log in the group's folder for appending. One that has grown too
// large becomes the old one first.
func OpenLog(folder string) (*os.File, error) {
	path := filepath.Join(folder, logName)
	info, err := os.Lstat(path)
	if err == nil && info.Size() > maxLogBytes {
		err = os.Rename(path, filepath.Join(folder, oldLogName))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
}

// copyLog writes the log to out, the old one first.
func copyLog(folder string, out io.Writer) error {
	found := false
	for _, name := range []string{oldLogName, logName} {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		found = true
		if _, err := out.Write(content); err != nil {
			return err
		}
	}
	if !found {
		return &ctap.Problem{Status: ctap.Other, What: "the extension has written no log yet", Hint: "it begins one when macOS first runs it"}
	}
	return nil
}
