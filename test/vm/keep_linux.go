package vm

import (
	"errors"
	"os"
	"path/filepath"
)

// keep copies the files that a guest left to dir.
func keep(dir, shared string) error {
	if dir == "" {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(shared, keptDir, "*"))
	if err != nil {
		return err
	}
	errs := []error{os.MkdirAll(dir, 0o700)}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(file)), content, 0o600)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
