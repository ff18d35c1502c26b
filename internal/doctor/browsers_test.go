package doctor

import (
	"strings"
	"testing"
)

func TestPinentry(t *testing.T) {
	b := build(t)
	expect(t, b.pinentry(), Problem, "no pinentry program")
	b.file("/usr/bin/pinentry-curses", "#!", 0o755)
	b.link("/etc/alternatives/pinentry", "/usr/bin/pinentry-curses")
	b.link("/usr/bin/pinentry", "/etc/alternatives/pinentry")
	expect(t, b.pinentry(), OK, "/usr/bin/pinentry, which is /usr/bin/pinentry-curses")
	b.Display = true
	expect(t, b.pinentry(), Problem, "asks on a terminal")
	b.file("/usr/local/bin/pinentry", "#!", 0o755)
	expect(t, b.pinentry(), OK, "/usr/local/bin/pinentry")
}

func TestBrowsers(t *testing.T) {
	b := build(t)
	only(t, b.browsers(), NotNeeded, "none of those")

	b.file("/usr/bin/firefox-esr", "\x7fELF", 0o755)
	only(t, b.browsers(), OK, "/usr/bin/firefox-esr")

	// Ubuntu: the program is a script that starts the snap.
	b = build(t)
	b.file("/usr/bin/firefox", "#!/bin/sh\nexec /snap/bin/firefox \"$@\"\n", 0o755)
	b.link("/snap/firefox/current", "4173")
	only(t, b.browsers(), Problem, "a snap reaches only")

	// Fedora keeps snaps elsewhere.
	b = build(t)
	b.link("/var/lib/snapd/snap/chromium/current", "2")
	b.Path = append(b.Path, "/var/lib/snapd/snap/bin")
	b.file("/var/lib/snapd/snap/bin/chromium", "", 0o755)
	only(t, b.browsers(), Problem, "a snap reaches only")
}

func TestFlatpak(t *testing.T) {
	const app = "/app/org.mozilla.firefox/current/active/metadata"
	const home = "/home/alice/.local/share/flatpak"
	for name, c := range map[string]struct {
		files map[string]string
		want  State
	}{
		"all":                {map[string]string{"/var/lib/flatpak" + app: "[Application]\nname=x\n\n[Context]\ndevices=all;\n"}, OK},
		"graphics alone":     {map[string]string{"/var/lib/flatpak" + app: "[Context]\ndevices=dri;\n"}, Problem},
		"of this user":       {map[string]string{home + app: "[Context]\nshared=network;\ndevices=dri;all;\n"}, OK},
		"another section":    {map[string]string{home + app: "[Other]\ndevices=all;\n"}, Problem},
		"permitted":          {map[string]string{home + app: "", home + "/overrides/org.mozilla.firefox": "[Context]\ndevices=all;\n"}, OK},
		"permitted to all":   {map[string]string{home + app: "", "/var/lib/flatpak/overrides/global": "[Context]\ndevices=all;\n"}, OK},
		"forbidden":          {map[string]string{home + app: "[Context]\ndevices=all;\n", "/var/lib/flatpak/overrides/org.mozilla.firefox": "[Context]\ndevices=!all;\n"}, Problem},
		"forbidden, not now": {map[string]string{home + app: "", "/var/lib/flatpak/overrides/global": "[Context]\ndevices=!all;\n", home + "/overrides/org.mozilla.firefox": "[Context]\ndevices=all;\n"}, OK},
	} {
		t.Run(name, func(t *testing.T) {
			b := build(t)
			for path, content := range c.files {
				b.file(path, content, 0o644)
			}
			found := b.browsers()
			only(t, found, c.want, "")
			if c.want == Problem && !strings.Contains(found[0].Hint, "flatpak override --user --device=all org.mozilla.firefox") {
				t.Errorf("hint %q", found[0].Hint)
			}
		})
	}
}

func TestManifests(t *testing.T) {
	b := build(t)
	only(t, b.manifests(), NotNeeded, "not installed")
	b.file("/usr/bin/firefox", "\x7fELF", 0o755)
	b.file("/usr/lib/localpasskey/localpasskey-browser", "\x7fELF", 0o755)
	only(t, b.manifests(), NotNeeded, "does not know /usr/lib/localpasskey/localpasskey-browser")

	const path = "/usr/lib/mozilla/native-messaging-hosts/localpasskey.browser.json"
	named := func(kind, program string) string {
		return `{"name": "localpasskey.browser", "description": "x", "allowed_extensions": ["extension@localpasskey"], "type": "` + kind + `", "path": "` + program + `"}`
	}
	for content, want := range map[string]string{
		`{"name": "localpasskey.browser"`:                      "is no manifest",
		`{"type": "stdio", "path": "/usr/bin/firefox"}`:        "not for our extension",
		named("stdio", "localpasskey-browser"):                 "as browsers want it",
		named("other", "/usr/bin/firefox"):                     "as browsers want it",
		named("stdio", "/usr/libexec/localpasskey-browser"):    "which is no program",
		named("stdio", "/usr/lib/mozilla"):                     "which is no program",
		named("stdio", "/usr/lib/mozilla/../../../etc/passwd"): "which is no program",
	} {
		b.file(path, content, 0o644)
		only(t, b.manifests(), Problem, want)
	}
	b.file(path, named("stdio", "/usr/lib/localpasskey/localpasskey-browser"), 0o644)
	only(t, b.manifests(), OK, path)
	// The person's own comes first.
	b.file("/home/alice/.mozilla/native-messaging-hosts/localpasskey.browser.json", `{}`, 0o644)
	only(t, b.manifests(), Problem, "/home/alice/.mozilla")
}
