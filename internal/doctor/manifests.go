package doctor

import (
	"encoding/json"
	"path/filepath"
	"strings"
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
			found = append(found, m.readManifest(check+", "+b.name, path))
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
	for _, dir := range []string{filepath.Join(m.Home, b.user), b.system} {
		if dir == "" {
			continue
		}
		for _, name := range m.list(dir) {
			if strings.Contains(name, "localpasskey") && strings.HasSuffix(name, ".json") {
				return filepath.Join(dir, name)
			}
		}
	}
	return ""
}

// readManifest tells whether a browser can start what a manifest names.
func (m Machine) readManifest(check, path string) Finding {
	var manifest struct {
		Path string `json:"path"`
		Type string `json:"type"`
	}
	again := "remove it, and install the extension's program again"
	if err := json.Unmarshal([]byte(m.read(path)), &manifest); err != nil {
		return wrong(check, path+" is no manifest: "+err.Error(), again)
	}
	switch {
	case manifest.Type != "stdio" || !filepath.IsAbs(manifest.Path):
		return wrong(check, path+" does not name a program as browsers want it", again)
	case !m.executable(manifest.Path):
		return wrong(check, path+" names "+manifest.Path+", which is no program", again)
	default:
		return ok(check, path)
	}
}
