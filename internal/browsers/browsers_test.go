package browsers_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/browsers"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// home is a home directory in which these were made.
func home(t *testing.T, dirs ...string) browsers.Places {
	t.Helper()
	p := browsers.Places{Home: t.TempDir()}
	for _, dir := range dirs {
		ok(t, os.MkdirAll(filepath.Join(p.Home, dir), 0o700))
	}
	return p
}

func names(found []browsers.Browser) (all []string) {
	for _, b := range found {
		all = append(all, strings.TrimSpace(b.Name+" "+string(b.Packaging)))
	}
	return all
}

// TestFind: what is here is found, once for each directory, and what is confined is told.
func TestFind(t *testing.T) {
	t.Parallel()
	p := home(t, ".config/chromium", ".config/BraveSoftware/Brave-Browser", ".mozilla/firefox", "snap/chromium", "snap/firefox", ".var/app/com.google.Chrome")
	want := []string{"Chromium", "Brave", "Firefox", "Chromium snap", "Firefox snap", "Chrome flatpak"}
	if got := names(p.Find(false)); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	mac := home(t, "Library/Application Support/Google/Chrome", "Library/Application Support/Firefox", ".config/chromium")
	mac.MacOS = true
	if got := names(mac.Find(false)); !slices.Equal(got, []string{"Firefox", "Chrome"}) {
		t.Errorf("macOS: %q", got)
	}
	root := home(t, "usr/bin/firefox", "usr/bin/firefox-esr", "usr/bin/chromium", "opt/google/chrome")
	all := browsers.Places{System: root.Home}
	if got := names(all.Find(true)); !slices.Equal(got, []string{"Chrome", "Chromium", "Firefox"}) {
		t.Errorf("for all: %q", got)
	}
}

// TestManifests: written, read, refused when somebody has changed it, removed.
func TestManifests(t *testing.T) {
	t.Parallel()
	p := home(t, ".config/chromium", ".mozilla/firefox", "snap/chromium")
	for _, b := range p.Find(false) {
		if b.Dir == "" {
			if b.Install("/usr/bin/x") == nil || b.Manifest() != "" {
				t.Errorf("%s as a %s is written for", b.Name, b.Packaging)
			}
			continue
		}
		if program, err := b.Installed(); program != "" || err != nil {
			t.Errorf("%s: %q, %v", b.Name, program, err)
		}
		if b.Install("localpasskey-browser") == nil {
			t.Errorf("%s: a relative path is taken", b.Name)
		}
		ok(t, b.Install("/old/localpasskey-browser"))
		ok(t, b.Install("/usr/bin/localpasskey-browser"))
		if program, err := b.Installed(); program != "/usr/bin/localpasskey-browser" || err != nil {
			t.Errorf("%s: %q, %v", b.Name, program, err)
		}
		content, err := os.ReadFile(b.Manifest())
		ok(t, err)
		var all map[string]any
		ok(t, json.Unmarshal(content, &all))
		allowed := map[browsers.Family]string{browsers.Chromium: "allowed_origins", browsers.Firefox: "allowed_extensions"}[b.Family]
		if all["name"] != "localpasskey.browser" || all["type"] != "stdio" || len(all[allowed].([]any)) != 1 || len(all) != 5 {
			t.Errorf("%s: %s", b.Name, content)
		}
		entries, err := os.ReadDir(b.Dir)
		if err != nil || len(entries) != 1 {
			t.Errorf("%s: %v, %v", b.Dir, entries, err)
		}
		for _, changed := range []string{"{", strings.Replace(string(content), "localpasskey\"", "stranger\"", 1), strings.ReplaceAll(string(content), browsers.ChromiumID, strings.Repeat("a", 32))} {
			if changed == string(content) {
				continue
			}
			ok(t, os.WriteFile(b.Manifest(), []byte(changed), 0o600))
			if program, err := b.Installed(); err == nil {
				t.Errorf("%s: %s leads to %q", b.Name, changed, program)
			}
		}
		if removed, err := b.Remove(); !removed || err != nil {
			t.Errorf("%s: %v, %v", b.Name, removed, err)
		}
		if removed, err := b.Remove(); removed || err != nil {
			t.Errorf("%s, again: %v, %v", b.Name, removed, err)
		}
	}
}

// TestOurs: a host answers our extension alone.
func TestOurs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   []string
		family browsers.Family
	}{
		{[]string{"chrome-extension://ifeomefcpkdpfpofjjaljmcdmmgedimc/"}, browsers.Chromium},
		{[]string{"/home/a/.mozilla/native-messaging-hosts/localpasskey.browser.json", "extension@localpasskey"}, browsers.Firefox},
		{nil, ""},
		{[]string{"--help"}, ""},
		{[]string{"chrome-extension://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"}, ""},
		{[]string{"x", "other@localpasskey"}, ""},
	} {
		if family, ours := browsers.Ours(c.args); family != c.family || ours != (c.family != "") {
			t.Errorf("%q: %q, %v", c.args, family, ours)
		}
	}
}

func TestSeen(t *testing.T) {
	t.Parallel()
	l := browsers.Log{Dir: filepath.Join(t.TempDir(), "state")}
	if _, seen, err := l.Last(browsers.Firefox); seen || err != nil {
		t.Errorf("%v, %v", seen, err)
	}
	ok(t, l.Note(browsers.Firefox, "firefox-esr"))
	got, seen, err := l.Last(browsers.Firefox)
	if !seen || err != nil || got.Program != "firefox-esr" || time.Since(got.Time) > time.Minute {
		t.Errorf("%+v, %v, %v", got, seen, err)
	}
	if _, seen, err := l.Last(browsers.Chromium); seen || err != nil {
		t.Errorf("%v, %v", seen, err)
	}
}
