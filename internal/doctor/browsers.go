package doctor

import (
	"path/filepath"
	"slices"
	"strings"
)

// browser is one that can use passkeys, in the ways it comes. Names of flatpaks are those
// of Flathub.
type browser struct {
	name     string
	programs []string
	snap     string
	flatpak  string
}

func knownBrowsers() []browser {
	return []browser{
		{"Firefox", []string{"firefox", "firefox-esr"}, "firefox", "org.mozilla.firefox"},
		{"Chromium", []string{"chromium", "chromium-browser"}, "chromium", "org.chromium.Chromium"},
		{"Chrome", []string{"google-chrome-stable", "google-chrome"}, "", "com.google.Chrome"},
		{"Edge", []string{"microsoft-edge-stable", "microsoft-edge"}, "", "com.microsoft.Edge"},
		{"Brave", []string{"brave-browser-stable", "brave-browser"}, "brave", "com.brave.Browser"},
		{"Vivaldi", []string{"vivaldi-stable", "vivaldi"}, "", "com.vivaldi.Vivaldi"},
	}
}

// browsers tells which are installed, and what the way they came means.
func (m Machine) browsers() []Finding {
	var found []Finding
	for _, b := range knownBrowsers() {
		if path := m.native(b); path != "" {
			found = append(found, ok(b.name, path+", which finds the security key"))
		}
		if m.snapped(b) {
			found = append(found, wrong(b.name+" (snap)", "a snap reaches only the security keys of snapd's own list, which are on USB: it does not find this one",
				"install "+b.name+" as a package of its maker's or of your distribution's instead"))
		}
		if base := m.flatpakked(b); base != "" {
			found = append(found, m.flatpak(b, base))
		}
	}
	if len(found) == 0 {
		return []Finding{notNeeded("browsers", "none of those that we know is installed")}
	}
	return found
}

// native gives the file of a browser that is neither snap nor flatpak, "" for none.
// Ubuntu's /usr/bin/firefox is a script that starts the snap.
func (m Machine) native(b browser) string {
	for _, name := range b.programs {
		path := m.program(name)
		if path == "" {
			continue
		}
		target := m.resolve(path)
		script := m.read(target)
		starts := strings.HasPrefix(script, "#!") && (strings.Contains(script, "/snap/bin/") || strings.Contains(script, "flatpak run"))
		if starts || strings.HasPrefix(path, "/snap/") || strings.HasPrefix(path, "/var/lib/snapd/") || strings.HasPrefix(path, "/var/lib/flatpak/") {
			continue
		}
		return path
	}
	return ""
}

func (m Machine) snapped(b browser) bool {
	return b.snap != "" && m.first("/snap/"+b.snap+"/current", "/var/lib/snapd/snap/"+b.snap+"/current") != ""
}

// flatpakBases are where flatpaks are installed: for all users, and for this one.
func (m Machine) flatpakBases() []string {
	return []string{"/var/lib/flatpak", filepath.Join(m.Home, ".local/share/flatpak")}
}

// flatpakked gives the base where a browser is installed as a flatpak, "" for none.
func (m Machine) flatpakked(b browser) string {
	for _, base := range m.flatpakBases() {
		if m.has(filepath.Join(base, "app", b.flatpak, "current")) {
			return base
		}
	}
	return ""
}

// flatpak tells whether a flatpak's permissions let it find security keys.
func (m Machine) flatpak(b browser, base string) Finding {
	check := b.name + " (flatpak)"
	// What is said later counts (flatpak-metadata(5), flatpak-override(1)).
	permits := devices(false, m.read(filepath.Join(base, "app", b.flatpak, "current/active/metadata")))
	for _, base := range m.flatpakBases() {
		for _, file := range []string{"global", b.flatpak} {
			permits = devices(permits, m.read(filepath.Join(base, "overrides", file)))
		}
	}
	if permits {
		return ok(check, "may use all devices, so it finds the security key; the browser extension does not work in it")
	}
	return wrong(check, "its sandbox shows it no security key", "run: flatpak override --user --device=all "+b.flatpak+", then start it anew")
}

// devices reads from a flatpak's metadata or an override whether it may use all devices,
// which permits says so far.
func devices(permits bool, keyfile string) bool {
	section := ""
	for line := range strings.Lines(keyfile) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
		}
		key, value, _ := strings.Cut(line, "=")
		if section != "[Context]" || strings.TrimSpace(key) != "devices" {
			continue
		}
		names := strings.Split(strings.TrimSpace(value), ";")
		permits = (permits || slices.Contains(names, "all")) && !slices.Contains(names, "!all")
	}
	return permits
}
