// Command extension packs the browser extension: a zip for each family of browsers, the
// same bytes from the same files, and prints their hashes.
//
//	go run ./packaging/extension DIRECTORY
//
// What is shipped are the files of extension/ as they are, but for the manifest: each
// family gets the members that it knows.
package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// source is where the extension is, from the module's root.
const source = "extension"

const manifestName = "manifest.json"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./packaging/extension DIRECTORY")
		os.Exit(2)
	}
	if err := run(os.DirFS(source), os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "extension:", err)
		os.Exit(1)
	}
}

// run writes the packages into dir and tells of them.
func run(files fs.FS, dir string, out io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // For everybody to read.
		return err
	}
	version, err := versionOf(files)
	if err != nil {
		return err
	}
	for _, family := range []struct {
		name, suffix string
		strip        func(manifest map[string]json.RawMessage) error
	}{
		{"chromium", ".zip", forChromium},
		{"firefox", ".xpi", forFirefox},
	} {
		packed, err := pack(files, family.strip)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, fmt.Sprintf("localpasskey-%s-%s%s", family.name, version, family.suffix))
		if err := os.WriteFile(path, packed, 0o644); err != nil { //nolint:gosec // For everybody to read.
			return err
		}
		if _, err := fmt.Fprintf(out, "%x  %s\n", sha256.Sum256(packed), path); err != nil {
			return err
		}
	}
	return nil
}

func versionOf(files fs.FS) (string, error) {
	content, err := fs.ReadFile(files, manifestName)
	if err != nil {
		return "", err
	}
	var m struct{ Version string }
	if err := json.Unmarshal(content, &m); err != nil {
		return "", err
	}
	if m.Version == "" {
		return "", errors.New("the manifest has no version")
	}
	return m.Version, nil
}

// forChromium takes out what is Firefox's.
func forChromium(m map[string]json.RawMessage) error {
	delete(m, "browser_specific_settings")
	return keepBackground(m, "service_worker", "type")
}

// forFirefox takes out what is Chromium's.
func forFirefox(m map[string]json.RawMessage) error {
	delete(m, "key")
	delete(m, "minimum_chrome_version")
	return keepBackground(m, "scripts", "type")
}

// keepBackground keeps these members of the manifest's background.
func keepBackground(m map[string]json.RawMessage, names ...string) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(m["background"], &all); err != nil {
		return fmt.Errorf("background: %w", err)
	}
	kept := map[string]json.RawMessage{}
	for _, name := range names {
		value, ok := all[name]
		if !ok {
			return fmt.Errorf("background has no %s", name)
		}
		kept[name] = value
	}
	var err error
	m["background"], err = json.Marshal(kept)
	return err
}

// pack zips what is shipped, in the order of names, without times and owners.
func pack(files fs.FS, strip func(map[string]json.RawMessage) error) ([]byte, error) {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !shipped(path) {
			return err
		}
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		if path == manifestName {
			if content, err = stripped(content, strip); err != nil {
				return err
			}
		}
		into, err := w.CreateHeader(&zip.FileHeader{Name: path, Method: zip.Deflate})
		if err == nil {
			_, err = into.Write(content)
		}
		return err
	})
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

// shipped tells what browsers need: types are for the checker.
func shipped(path string) bool { return !strings.HasSuffix(path, ".d.ts") }

// stripped is the manifest for one family, its members in the order of names.
func stripped(content []byte, strip func(map[string]json.RawMessage) error) ([]byte, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(content, &m); err != nil {
		return nil, err
	}
	if err := strip(m); err != nil {
		return nil, err
	}
	written, err := json.MarshalIndent(m, "", "  ")
	return append(written, '\n'), err
}
