package doctor

import (
	"path/filepath"
	"slices"

	"github.com/localpasskey/localpasskey/internal/browsers"
)

// hostProgram is what a browser starts for its extension (native messaging).
const hostProgram = "localpasskey-browser"

// manifests looks whether browsers know the program that their extension talks to.
func (m Machine) manifests() []Finding {
	const check = "browser extension"
	host := m.program(hostProgram)
	if host == "" {
		host = m.first("/usr/lib/localpasskey/"+hostProgram, "/usr/local/lib/localpasskey/"+hostProgram)
	}
	var found []Finding
	for _, b := range knownBrowsers() {
		path := m.manifest(b)
		switch {
		case path != "":
			found = append(found, m.readManifest(check+", "+b.name, b, path))
		case host != "" && m.native(b) != "":
			found = append(found, notNeeded(check+", "+b.name, "the browser does not know "+host+", and uses the security key; for the extension, run `localpasskey browser install`"))
		}
	}
	if len(found) == 0 {
		return []Finding{notNeeded(check, hostProgram+" is not installed: browsers use the security key")}
	}
	return found
}

// manifest gives the file by which a browser knows us, the person's before the machine's;
// "" for none.
func (m Machine) manifest(b browser) string {
	_, person, machine := browsers.Directories(b.name)
	for _, dir := range []string{filepath.Join(m.Home, person), filepath.Join("/", machine)} {
		if slices.Contains(m.list(dir), browsers.ManifestName) {
			return filepath.Join(dir, browsers.ManifestName)
		}
	}
	return ""
}

// readManifest tells whether a browser can start what a manifest names, for our extension.
func (m Machine) readManifest(check string, b browser, path string) Finding {
	const again = "remove it, and run `localpasskey browser install`"
	family, _, _ := browsers.Directories(b.name)
	program, err := browsers.ReadManifest(family, []byte(m.read(path)))
	switch {
	case err != nil:
		return wrong(check, path+": "+err.Error(), again)
	case !m.executable(program):
		return wrong(check, path+" names "+program+", which is no program", again)
	default:
		return ok(check, path)
	}
}
