package browsers_test

import (
	"path/filepath"
	"testing"

	"github.com/localpasskey/localpasskey/internal/browsers"
)

// FuzzManifest: a file that passes for a manifest of ours names a program as browsers
// want it, and the manifest that we would write for that program passes too.
func FuzzManifest(f *testing.F) {
	for _, family := range []browsers.Family{browsers.Chromium, browsers.Firefox} {
		content, err := browsers.Manifest(family, "/usr/bin/localpasskey-browser")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, family := range []browsers.Family{browsers.Chromium, browsers.Firefox} {
			program, err := browsers.ReadManifest(family, content)
			if err != nil {
				continue
			}
			if !filepath.IsAbs(program) {
				t.Errorf("%q is no absolute path", program)
			}
			ours, err := browsers.Manifest(family, program)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := browsers.ReadManifest(family, ours); err != nil || again != program {
				t.Errorf("%q reads as %q, %v", program, again, err)
			}
		}
	})
}
