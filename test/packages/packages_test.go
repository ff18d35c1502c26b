//go:build e2e && linux

package packages_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/test/packages/release"
)

// top is the repository's directory.
func top(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// output runs a program without standard input, and gives what it says.
func output(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = top(t)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// root is a directory that a package manager takes for the machine's.
type root struct {
	*testing.T
	dir string
}

func newRoot(t *testing.T) root {
	t.Helper()
	r := root{t, t.TempDir()}
	r.write("/var/lib/dpkg/status", "")
	r.write("/var/lib/dpkg/available", "")
	for _, dir := range []string{"/var/lib/dpkg/info", "/var/lib/dpkg/updates", "/var/lib/dpkg/triggers"} {
		if err := os.MkdirAll(r.dir+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r root) write(name, content string) {
	r.Helper()
	if err := os.MkdirAll(filepath.Dir(r.dir+name), 0o700); err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(r.dir+name, []byte(content), 0o600); err != nil {
		r.Fatal(err)
	}
}

// dpkg runs dpkg on the root. Scripts run outside of it, and are told.
func (r root) dpkg(args ...string) string {
	r.Helper()
	return output(r.T, nil, "dpkg", append([]string{
		"--root=" + r.dir, "--force-not-root", "--force-script-chrootless", "--force-bad-path", "--log=/dev/null",
	}, args...)...)
}

func (r root) rpm(args ...string) {
	r.Helper()
	output(r.T, nil, "rpm", append([]string{"--root", r.dir, "--noscripts", "--nodeps", "--nosignature"}, args...)...)
}

// Stores of the service's users, and of one who runs the daemon alone.
const (
	served = "/var/lib/localpasskey/1000/passkeys.db"
	other  = "/var/lib/localpasskey/1001/passkeys.db"
	own    = "/home/alice/.local/share/localpasskey/passkeys.db"
)

func (r root) stores() {
	r.Helper()
	for _, name := range []string{served, other, own} {
		r.write(name, "the store "+name)
	}
}

// kept wants stores as they were.
func (r root) kept(when string, names ...string) {
	r.Helper()
	for _, name := range names {
		content, err := os.ReadFile(r.dir + name)
		if err != nil || string(content) != "the store "+name {
			r.Errorf("%s, %s is %q, %v", when, name, content, err)
		}
		info, err := os.Stat(r.dir + name)
		if err == nil && info.Mode().Perm() != 0o600 {
			r.Errorf("%s, %s has mode %v", when, name, info.Mode())
		}
	}
}

// gone wants nothing of these names.
func (r root) gone(when string, names ...string) {
	r.Helper()
	for _, name := range names {
		if _, err := os.Lstat(r.dir + name); !errors.Is(err, fs.ErrNotExist) {
			r.Errorf("%s, %s is still there (%v)", when, name, err)
		}
	}
}

// runs wants the installed program to be of a version.
func (r root) runs(version string) {
	r.Helper()
	if got := output(r.T, nil, r.dir+"/usr/bin/localpasskey", "version"); got != "localpasskey "+version+"\n" {
		r.Errorf("installed is %q, want version %q", got, version)
	}
}

func says(t *testing.T, said, want string) {
	t.Helper()
	if !strings.Contains(said, want) {
		t.Errorf("%q is not in what was said:\n%s", want, said)
	}
}

func TestPackages(t *testing.T) {
	oldDeb, oldRPM := release.Build(t, "")
	newDeb, newRPM := release.Build(t, "0.1.0")
	_, oldVersion, _ := strings.Cut(strings.TrimSuffix(filepath.Base(oldDeb), "-1_"+runtime.GOARCH+".deb"), "_")
	if !regexp.MustCompile(`^(0\.0\.0~\d{14}\.[0-9a-f]{12}|\d+\.\d+\.\d+.*?)(\.dirty)?$`).MatchString(oldVersion) {
		t.Fatalf("this commit's version is %q", oldVersion)
	}
	t.Run("deb", func(t *testing.T) { debLives(t, oldDeb, oldVersion, newDeb) })
	t.Run("rpm", func(t *testing.T) { rpmLives(t, oldRPM, oldVersion, newRPM) })
	t.Run("content", func(t *testing.T) { content(t, newDeb, newRPM) })
	t.Run("scripts of the rpm", func(t *testing.T) { rpmScripts(t, newRPM) })
}

// manifest is one of the package's files that are the machine's owner's to change.
const manifest = "/etc/opt/chrome/native-messaging-hosts/localpasskey.browser.json"

// debLives is a package's life: installed, upgraded, removed, installed, purged.
func debLives(t *testing.T, oldDeb, oldVersion, newDeb string) {
	r := newRoot(t)
	r.dpkg("--install", oldDeb)
	r.runs(oldVersion)
	r.stores()

	if said := r.dpkg("--install", newDeb); strings.Contains(said, "downgrading") {
		t.Errorf("a release counts as older than %s:\n%s", oldVersion, said)
	}
	r.runs("0.1.0")
	r.kept("after an upgrade", served, other, own)
	if said := r.dpkg("--verify", "localpasskey"); said != "" {
		t.Errorf("files differ from the package's:\n%s", said)
	}

	said := r.dpkg("--remove", "localpasskey")
	says(t, said, "Its passkeys stay: stores in "+r.dir+"/var/lib/localpasskey: 2")
	r.gone("after a removal", "/usr/bin/localpasskey", "/usr/share/applications/localpasskey.desktop", "/usr/share/doc/localpasskey")
	r.kept("after a removal", served, other, own)

	r.dpkg("--install", newDeb)
	r.runs("0.1.0")
	r.kept("installed again", served, other, own)

	said = r.dpkg("--purge", "localpasskey")
	says(t, said, "deleting "+r.dir+"/var/lib/localpasskey with the passkeys of every user (stores: 2)")
	says(t, said, "not deleted are stores that users made by themselves")
	r.gone("after a purge", "/usr/bin/localpasskey", "/var/lib/localpasskey")
	r.kept("after a purge", own)
	if status := r.dpkg("--list"); strings.Contains(status, "localpasskey") {
		t.Errorf("dpkg still knows the package:\n%s", status)
	}
	if left := r.files(); !slices.Equal(left, []string{own}) {
		t.Errorf("after a purge there are %q", left)
	}

	// Removed first, purged later; and nothing to delete.
	r.dpkg("--install", newDeb)
	r.stores()
	r.write(manifest, "changed")
	r.dpkg("--install", newDeb)
	r.dpkg("--remove", "localpasskey")
	r.kept("installed over it, and removed", served, other)
	if content, err := os.ReadFile(r.dir + manifest); err != nil || string(content) != "changed" {
		t.Errorf("installed over it, and removed, %s is %q, %v", manifest, content, err)
	}
	says(t, r.dpkg("--purge", "localpasskey"), "(stores: 2)")
	r.gone("removed, then purged", "/var/lib/localpasskey", manifest)
	r.dpkg("--install", newDeb)
	if said := r.dpkg("--purge", "localpasskey"); strings.Contains(said, "deleting "+r.dir) {
		t.Errorf("deletes what is not there:\n%s", said)
	}
}

// files lists what there is apart from the package manager's own.
func (r root) files() []string {
	r.Helper()
	var left []string
	err := filepath.WalkDir(r.dir, func(path string, entry fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, r.dir)
		if err == nil && !entry.IsDir() && !strings.HasPrefix(name, "/var/lib/dpkg/") {
			left = append(left, name)
		}
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	return left
}

func rpmLives(t *testing.T, oldRPM, oldVersion, newRPM string) {
	if os.Getuid() != 0 {
		t.Skip("rpm changes its root, which only root may")
	}
	r := newRoot(t)
	r.rpm("-i", oldRPM)
	r.runs(oldVersion)
	r.stores()
	r.rpm("-U", newRPM)
	r.runs("0.1.0")
	r.kept("after an upgrade", served, other, own)
	r.rpm("-e", "localpasskey")
	r.gone("after a removal", "/usr/bin/localpasskey", "/usr/share/doc/localpasskey")
	r.kept("after a removal", served, other, own)
}

// rpmScripts runs what rpm would, on an upgrade and on a removal. rpm has no purge.
func rpmScripts(t *testing.T, file string) {
	r := newRoot(t)
	r.stores()
	for _, c := range []struct{ tag, argument, want string }{
		{"POSTIN", "1", ""},
		{"PREUN", "1", ""},
		{"POSTUN", "1", ""},
		{"PREUN", "0", ""},
		{"POSTUN", "0", "Its passkeys stay"},
	} {
		script := output(t, nil, "rpm", "-qp", "--nosignature", "--qf", "%{"+c.tag+"}", file)
		if !strings.HasPrefix(script, "#!/bin/sh") {
			t.Fatalf("%s is %q", c.tag, script)
		}
		said := output(t, []string{"DPKG_ROOT=" + r.dir}, "sh", "-c", script, "sh", c.argument)
		if (c.want == "") != (said == "") || !strings.Contains(said, c.want) {
			t.Errorf("%s %s says %q", c.tag, c.argument, said)
		}
		r.kept(c.tag+" "+c.argument, served, other, own)
	}
}

// content looks at the files that both packages have to have, and at what they must not.
func content(t *testing.T, deb, rpm string) {
	r := newRoot(t)
	output(t, nil, "dpkg-deb", "-x", deb, r.dir)
	listed := strings.Fields(output(t, nil, "rpm", "-qlp", "--nosignature", rpm))
	for kind, said := range map[string]string{
		".deb": output(t, nil, "dpkg-deb", "--info", deb, "conffiles"), ".rpm": output(t, nil, "rpm", "-qcp", "--nosignature", rpm),
	} {
		if strings.Count(said, "\n") != 3 || !strings.Contains(said, manifest) {
			t.Errorf("the owner's to change are, in the %s:\n%s", kind, said)
		}
	}
	inDeb := r.files()
	for _, name := range []string{
		"/usr/bin/localpasskey", "/usr/share/man/man1/localpasskey.1.gz", "/usr/share/man/man1/localpasskey-doctor.1.gz",
		"/usr/share/applications/localpasskey.desktop", "/usr/share/icons/hicolor/scalable/apps/localpasskey.svg",
		"/usr/share/bash-completion/completions/localpasskey", "/usr/share/fish/vendor_completions.d/localpasskey.fish",
		"/usr/share/doc/localpasskey/copyright", "/usr/share/polkit-1/rules.d/50-localpasskey.rules",
	} {
		if !slices.Contains(inDeb, name) || !slices.Contains(listed, name) {
			t.Errorf("%s: in the .deb %v, in the .rpm %v", name, slices.Contains(inDeb, name), slices.Contains(listed, name))
		}
	}
	for _, name := range slices.Concat(inDeb, listed) {
		if strings.Contains(name, "demo") || strings.HasPrefix(name, "/usr/local") {
			t.Errorf("%s is in a package", name)
		}
	}
	for _, name := range inDeb {
		if info, err := os.Stat(r.dir + name); err != nil || info.Mode().Perm()&0o022 != 0 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	licences, err := os.ReadFile(r.dir + "/usr/share/doc/localpasskey/copyright")
	if err != nil {
		t.Fatal(err)
	}
	// The linker says which modules are in the program.
	linked := regexp.MustCompile(`(?m)^\tdep\t(\S+)\t(\S+)`).FindAllStringSubmatch(
		output(t, nil, "go", "version", "-m", r.dir+"/usr/bin/localpasskey"), -1)
	if len(linked) < 5 {
		t.Fatalf("the program says that it has %d modules", len(linked))
	}
	for _, m := range linked {
		if !bytes.Contains(licences, []byte("\n"+m[1]+" "+m[2]+"\n")) {
			t.Errorf("the licence of %s %s is not in the package", m[1], m[2])
		}
	}
	for _, owner := range []string{"The Go Authors", "Apache License", "MIT License"} {
		if !bytes.Contains(licences, []byte(owner)) {
			t.Errorf("%q is in no licence", owner)
		}
	}
}
