// Package browsers knows the browsers of this machine, and where each looks for the
// programs that extensions may talk to (native-messaging hosts).
//
//	Find ──► Browser ──Install, Remove, Installed──► manifest file
//
// Invariants:
//   - A manifest is written whole or not at all, and only for a browser that is there.
//   - Only files of our own name are written or removed.
//
// This package refuses to know what the programs say to each other.
package browsers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// What the two sides are known by to browsers: the host's name, and the extension's ID in
// each family. Chromium derives its ID from the key in the extension's manifest.
const (
	HostName   = "localpasskey.browser"
	ChromiumID = "ifeomefcpkdpfpofjjaljmcdmmgedimc"
	FirefoxID  = "extension@localpasskey"
	// ManifestName is the file by which a browser knows the host.
	ManifestName = HostName + ".json"
	description  = "LocalPasskey: passkeys in this computer's own hardware"
)

// Family is who made a browser's engine, and so how its manifests look.
type Family string

// Ours: the families.
const (
	Chromium Family = "chromium"
	Firefox  Family = "firefox"
)

// Packaging is how a browser came onto the machine, as far as it keeps the browser from
// other programs.
type Packaging string

// Ours: the packagings.
const (
	Plain   Packaging = ""
	Snap    Packaging = "snap"
	Flatpak Packaging = "flatpak"
)

// Browser is one that was found, for one person or for all.
type Browser struct {
	Name      string
	Family    Family
	Packaging Packaging
	// Dir is where it looks for manifests.
	Dir string
}

// Places are the directories that the system names. System is "/" but in tests.
type Places struct {
	Home, System string
	MacOS        bool
}

// candidate is a browser that may be here: it is when one of its signs is. Paths are
// relative to the home directory for one person, to the root for all.
type candidate struct {
	name       string
	family     Family
	packaging  Packaging
	signs, dir string // dir "" where there is none
}

const hosts = "NativeMessagingHosts"

// ofPerson are the places of one person on Linux. What a browser has not made yet, it has
// not been started.
func ofPerson() []candidate {
	return []candidate{
		{"Chrome", Chromium, Plain, ".config/google-chrome", ".config/google-chrome/" + hosts},
		{"Chromium", Chromium, Plain, ".config/chromium", ".config/chromium/" + hosts},
		{"Edge", Chromium, Plain, ".config/microsoft-edge", ".config/microsoft-edge/" + hosts},
		{"Brave", Chromium, Plain, ".config/BraveSoftware/Brave-Browser", ".config/BraveSoftware/Brave-Browser/" + hosts},
		{"Vivaldi", Chromium, Plain, ".config/vivaldi", ".config/vivaldi/" + hosts},
		{"Firefox", Firefox, Plain, ".mozilla/firefox", ".mozilla/native-messaging-hosts"},
		{"Chromium", Chromium, Snap, "snap/chromium", ""},
		{"Firefox", Firefox, Snap, "snap/firefox", ".mozilla/native-messaging-hosts"},
		{"Chrome", Chromium, Flatpak, ".var/app/com.google.Chrome", ""},
		{"Chromium", Chromium, Flatpak, ".var/app/org.chromium.Chromium", ""},
		{"Brave", Chromium, Flatpak, ".var/app/com.brave.Browser", ""},
		{"Edge", Chromium, Flatpak, ".var/app/com.microsoft.Edge", ""},
		{"Firefox", Firefox, Flatpak, ".var/app/org.mozilla.firefox", ".mozilla/native-messaging-hosts"},
	}
}

// ofPersonOnMacOS are the places of one person on macOS.
func ofPersonOnMacOS() []candidate {
	const support = "Library/Application Support/"
	all := []candidate{{"Firefox", Firefox, Plain, support + "Firefox", support + "Mozilla/" + hosts}}
	for _, b := range [][2]string{
		{"Chrome", "Google/Chrome"},
		{"Chromium", "Chromium"},
		{"Edge", "Microsoft Edge"},
		{"Brave", "BraveSoftware/Brave-Browser"},
		{"Vivaldi", "Vivaldi"},
		{"Arc", "Arc/User Data"},
	} {
		all = append(all, candidate{b[0], Chromium, Plain, support + b[1], support + b[1] + "/" + hosts})
	}
	return all
}

// ofAll are the places of the whole machine, on Linux.
func ofAll() []candidate {
	return []candidate{
		{"Chrome", Chromium, Plain, "opt/google/chrome", "etc/opt/chrome/native-messaging-hosts"},
		{"Chromium", Chromium, Plain, "usr/bin/chromium", "etc/chromium/native-messaging-hosts"},
		{"Edge", Chromium, Plain, "opt/microsoft/msedge", "etc/opt/edge/native-messaging-hosts"},
		{"Firefox", Firefox, Plain, "usr/bin/firefox", "usr/lib/mozilla/native-messaging-hosts"},
		{"Firefox ESR", Firefox, Plain, "usr/bin/firefox-esr", "usr/lib/mozilla/native-messaging-hosts"},
	}
}

// Directories are where a browser of that name, no snap and no flatpak, looks for manifests
// on Linux: below the person's home, and below the root for all; "" for nowhere.
func Directories(name string) (f Family, person, machine string) {
	of := func(all []candidate) string {
		for _, c := range all {
			if c.name == name && c.packaging == Plain {
				f = c.family
				return c.dir
			}
		}
		return ""
	}
	return f, of(ofPerson()), of(ofAll())
}

// Find gives the browsers that are here: those that the person has used, or with everybody
// those installed for all.
func (p Places) Find(everybody bool) []Browser {
	root, candidates := p.Home, ofPerson()
	switch {
	case everybody && p.MacOS:
		return nil
	case everybody:
		root, candidates = p.System, ofAll()
	case p.MacOS:
		candidates = ofPersonOnMacOS()
	}
	var found []Browser
	for _, c := range candidates {
		if _, err := os.Stat(filepath.Join(root, c.signs)); err != nil {
			continue
		}
		b := Browser{Name: c.name, Family: c.family, Packaging: c.packaging}
		if c.dir != "" {
			b.Dir = filepath.Join(root, c.dir)
		}
		if !slices.ContainsFunc(found, func(other Browser) bool {
			return other.Dir != "" && other.Dir == b.Dir && other.Packaging == b.Packaging
		}) {
			found = append(found, b)
		}
	}
	return found
}

// Manifest is the path of the browser's manifest of ours, "" where it takes none.
func (b Browser) Manifest() string {
	if b.Dir == "" {
		return ""
	}
	return filepath.Join(b.Dir, ManifestName)
}

// Installed gives the program that the browser would start, "" where there is no manifest
// of ours. One that is not whole, or for another extension, is an error.
func (b Browser) Installed() (program string, err error) {
	content, err := os.ReadFile(b.Manifest())
	if errors.Is(err, fs.ErrNotExist) || b.Dir == "" {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if program, err = ReadManifest(b.Family, content); err != nil {
		return "", fmt.Errorf("%s: %w", b.Manifest(), err)
	}
	return program, nil
}

// Remove removes the browser's manifest of ours; removed is false where there was none.
func (b Browser) Remove() (removed bool, err error) {
	if b.Dir == "" {
		return false, nil
	}
	err = os.Remove(b.Manifest())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
