// Package release builds packages of this tree as `make packages` does, for tests that
// install them. It refuses to know what is done with them.
package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Build builds the packages of a version for this machine, "" for the version that this
// commit has, and gives the files. They go with the test, which runs two directories
// below the tree's top.
func Build(t *testing.T, version string) (deb, rpm string) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "scripts/release.sh", "-o", dir, "-a", runtime.GOARCH)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "VERSION="+version)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building version %q: %v\n%s", version, err, out)
	}
	found, err := filepath.Glob(filepath.Join(dir, "localpasskey*"))
	if err != nil || len(found) != 2 {
		t.Fatalf("built %q, %v", found, err)
	}
	slices.SortFunc(found, func(a, b string) int { return strings.Compare(filepath.Ext(a), filepath.Ext(b)) })
	return found[0], found[1]
}
