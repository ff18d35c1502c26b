package browsers

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// manifest is a native-messaging host's, of either family.
type manifest struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Path        string   `json:"path"`
	Type        string   `json:"type"`
	Origins     []string `json:"allowed_origins,omitempty"`
	Extensions  []string `json:"allowed_extensions,omitempty"`
}

// Others may read a manifest for all; nobody else may write it.
const (
	dirMode  = 0o755
	fileMode = 0o644
)

func (b Browser) manifest(program string) manifest {
	m := manifest{Name: HostName, Description: description, Path: program, Type: "stdio"}
	if b.Family == Firefox {
		m.Extensions = []string{FirefoxID}
	} else {
		m.Origins = []string{chromiumOrigin}
	}
	return m
}

// Manifest is a host's manifest for the browsers of a family, as a file.
func Manifest(f Family, program string) ([]byte, error) {
	if !filepath.IsAbs(program) {
		return nil, fmt.Errorf("%s is no absolute path", program)
	}
	content, err := json.MarshalIndent(Browser{Family: f}.manifest(program), "", "  ")
	return append(content, '\n'), err
}

const chromiumOrigin = "chrome-extension://" + ChromiumID + "/"

// ReadManifest gives the program of a manifest that lets our extension of that family in.
func ReadManifest(f Family, content []byte) (program string, err error) {
	var m manifest
	if err := json.Unmarshal(content, &m); err != nil {
		return "", fmt.Errorf("it is no manifest: %w", err)
	}
	want := Browser{Family: f}.manifest(m.Path)
	if m.Name != want.Name || !slices.Equal(m.Origins, want.Origins) || !slices.Equal(m.Extensions, want.Extensions) {
		return "", errors.New("it is not for our extension")
	}
	if m.Type != want.Type || !filepath.IsAbs(m.Path) {
		return "", errors.New("it does not name a program as browsers want it")
	}
	return m.Path, nil
}

// Install writes the browser's manifest for the program, whose path must be absolute.
func (b Browser) Install(program string) (err error) {
	if b.Dir == "" {
		return errors.New("this browser starts no programs of the machine")
	}
	content, err := Manifest(b.Family, program)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.Dir, dirMode); err != nil {
		return err
	}
	file, err := os.CreateTemp(b.Dir, HostName)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Chmod(fileMode), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), b.Manifest())
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// Ours tells whether the arguments that a browser starts a host with are those of our
// extension: its origin, or its manifest's path and its ID. Anybody can install an
// extension with our ID; consent is what protects passkeys.
func Ours(args []string) (Family, bool) {
	switch {
	case len(args) >= 1 && args[0] == chromiumOrigin:
		return Chromium, true
	case len(args) >= 2 && args[1] == FirefoxID:
		return Firefox, true
	}
	return "", false
}
