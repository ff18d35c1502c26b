package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/localpasskey/localpasskey/internal/browsers"
)

const from = "../../extension"

// contents are the files of a package.
func contents(t *testing.T, packed []byte) map[string][]byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, f := range r.File {
		open, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if all[f.Name], err = io.ReadAll(open); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestPackages: the same bytes each time, with the repository's own files in them, and all
// that the manifest names.
func TestPackages(t *testing.T) {
	t.Parallel()
	var hashes []string
	for range 2 {
		var out bytes.Buffer
		if err := run(os.DirFS(from), t.TempDir(), &out); err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, regexp.MustCompile(`(?m)  .*$`).ReplaceAllString(out.String(), ""))
	}
	if hashes[0] != hashes[1] || strings.Count(hashes[0], "\n") != 2 {
		t.Errorf("%q", hashes)
	}
	for name, strip := range map[string]func(map[string]json.RawMessage) error{"chromium": forChromium, "firefox": forFirefox} {
		packed, err := pack(os.DirFS(from), strip)
		if err != nil {
			t.Fatal(err)
		}
		all := contents(t, packed)
		for path, content := range all {
			same, err := os.ReadFile(filepath.Join(from, path))
			if err != nil || path != manifestName && !bytes.Equal(same, content) {
				t.Errorf("%s: %s is not the repository's: %v", name, path, err)
			}
		}
		var m map[string]any
		if err := json.Unmarshal(all[manifestName], &m); err != nil {
			t.Fatal(err)
		}
		_, key := m["key"]
		_, gecko := m["browser_specific_settings"]
		if chromium := name == "chromium"; key != chromium || gecko == chromium {
			t.Errorf("%s: %v", name, slices.Sorted(maps.Keys(m)))
		}
		for _, path := range regexp.MustCompile(`"([a-z]+/[a-z0-9]+\.[a-z]+)"`).FindAllSubmatch(all[manifestName], -1) {
			if all[string(path[1])] == nil {
				t.Errorf("%s: %s is named and not there", name, path[1])
			}
		}
	}
}

// TestIDs: what hosts let in is what the manifest's key and ID make.
func TestIDs(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(from, manifestName))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Key      string
		Settings struct{ Gecko struct{ ID string } } `json:"browser_specific_settings"`
	}
	if err := json.Unmarshal(content, &m); err != nil {
		t.Fatal(err)
	}
	key, err := base64.StdEncoding.DecodeString(m.Key)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(key)
	var id strings.Builder
	for _, b := range sum[:16] {
		id.WriteByte('a' + b>>4)
		id.WriteByte('a' + b&15)
	}
	if id.String() != browsers.ChromiumID || m.Settings.Gecko.ID != browsers.FirefoxID {
		t.Errorf("%s, %s", id.String(), m.Settings.Gecko.ID)
	}
}

// TestManifest: no more is asked of people than is explained in docs/extension.md.
func TestManifest(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(from, manifestName))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(content, &m); err != nil {
		t.Fatal(err)
	}
	var permissions []string
	if err := json.Unmarshal(m["permissions"], &permissions); err != nil || !slices.Equal(permissions, []string{"nativeMessaging", "storage"}) {
		t.Errorf("permissions %q, %v", permissions, err)
	}
	if m["web_accessible_resources"] != nil || m["externally_connectable"] != nil {
		t.Error("pages reach the extension's files or its background")
	}
	docs, err := os.ReadFile("../../docs/extension.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, permission := range append(permissions, "https://*/*", "http://localhost/*") {
		if !bytes.Contains(docs, []byte("`"+permission+"`")) {
			t.Errorf("docs/extension.md does not explain %s", permission)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]fs.FS{
		"none":          fstest.MapFS{},
		"no JSON":       fstest.MapFS{manifestName: {Data: []byte("{")}},
		"no version":    fstest.MapFS{manifestName: {Data: []byte("{}")}},
		"no background": fstest.MapFS{manifestName: {Data: []byte(`{"version":"1"}`)}},
	} {
		if err := run(files, t.TempDir(), io.Discard); err == nil {
			t.Errorf("%s is packed", name)
		}
	}
}
