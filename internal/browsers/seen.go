package browsers

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Log keeps, in a directory of the person's, when the extension of each family has last
// connected. Nothing of what was asked is in it.
type Log struct{ Dir string }

// Seen is the last time. Program is what the browser calls itself, a hint.
type Seen struct {
	Time    time.Time `json:"time"`
	Program string    `json:"program"`
}

func (l Log) file(f Family) string { return filepath.Join(l.Dir, "extension-"+string(f)+".json") }

// Note keeps that the extension has connected now.
func (l Log) Note(f Family, program string) error {
	content, err := json.Marshal(Seen{Time: time.Now().UTC().Truncate(time.Second), Program: program})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(l.Dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(l.file(f), content, 0o600)
}

// Last gives the last time of a family; ok is false for never.
func (l Log) Last(f Family) (s Seen, ok bool, err error) {
	content, err := os.ReadFile(l.file(f))
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &s)
	}
	return s, err == nil, err
}
