package main

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// report is what was found of the result.
type report struct {
	lines []string
	wrong []string
}

func (r *report) print(out io.Writer) {
	for _, l := range r.lines {
		fmt.Fprintln(out, l)
	}
	for _, w := range r.wrong {
		fmt.Fprintln(out, "WRONG:", w)
	}
}

func (r *report) say(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *report) bad(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// inspect reads the result from the disk and holds it against what macOS wants,
// without relying on what was meant to be written.
func inspect(o options) (*report, error) {
	r := &report{}
	app := r.bundle(o.app(), "APPL")
	provider := r.bundle(o.appex(), "XPC!")
	r.nested(app, provider)
	r.extension(provider)
	r.entitlements(o.appEntitlements(), app, o, false)
	r.entitlements(o.appexEntitlements(), provider, o, true)
	r.icon(filepath.Join(o.app(), "Resources", "LocalPasskey.icns"))
	for _, dir := range []string{o.app(), o.appex()} {
		if _, err := os.Stat(filepath.Join(dir, "embedded.provisionprofile")); err != nil {
			r.say("no provisioning profile in %s: the entitlement needs one", dir)
		}
	}
	return r, r.size(o.Out)
}

// plist reads a property list.
func (r *report) plist(path string) map[string]any {
	content, err := os.ReadFile(path)
	if err != nil {
		r.bad("%v", err)
		return nil
	}
	m, err := parsePlist(content)
	if err != nil {
		r.bad("%s: %v", path, err)
	}
	return m
}

// bundle looks at Info.plist and the program.
func (r *report) bundle(contents, kind string) map[string]any {
	info := r.plist(filepath.Join(contents, "Info.plist"))
	for _, key := range []string{
		"CFBundleExecutable", "CFBundleIdentifier", "CFBundleName", "CFBundleShortVersionString", "CFBundleVersion", "CFBundlePackageType", "LSMinimumSystemVersion",
	} {
		if s, _ := info[key].(string); s == "" {
			r.bad("%s: no %s", contents, key)
		}
	}
	if info["CFBundlePackageType"] != kind {
		r.bad("%s is of type %v, not %s", contents, info["CFBundlePackageType"], kind)
	}
	name, _ := info["CFBundleExecutable"].(string)
	version, _ := info["LSMinimumSystemVersion"].(string)
	r.program(filepath.Join(contents, "MacOS", name), version)
	return info
}

// program looks into a universal program.
func (r *report) program(path, minOS string) {
	content, err := os.ReadFile(path)
	if err != nil {
		r.bad("%v", err)
		return
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o755 {
		r.bad("%s cannot be run by everybody", path)
	}
	fat, err := macho.NewFatFile(bytes.NewReader(content))
	if err != nil {
		r.bad("%s: %v", path, err)
		return
	}
	seen := map[macho.Cpu]bool{}
	for _, a := range fat.Arches {
		seen[a.Cpu] = true
		if a.Offset%(1<<a.Align) != 0 {
			r.bad("%s: %v begins at %d, not on a page", path, a.Cpu, a.Offset)
		}
		r.thin(path, a, content[a.Offset:a.Offset+a.Size], minOS)
	}
	if len(fat.Arches) != 2 || !seen[macho.CpuArm64] || !seen[macho.CpuAmd64] {
		r.bad("%s is not for arm64 and x86_64", path)
	}
}

// thin looks into one processor's part.
func (r *report) thin(path string, a macho.FatArch, content []byte, minOS string) {
	b, err := buildOf(content)
	if err != nil {
		r.bad("%s: %v", path, err)
		return
	}
	if b.platform != platformMacOS || unpacked(b.minOS) != minOS || b.sdk < b.minOS {
		r.bad("%s: %v is for platform %d, macOS %s, SDK %s; Info.plist says %s", path, a.Cpu, b.platform, unpacked(b.minOS), unpacked(b.sdk), minOS)
	}
	if a.Type != macho.TypeExec || a.Flags&macho.FlagPIE == 0 {
		r.bad("%s: %v is no position-independent program", path, a.Cpu)
	}
	entry := "LC_MAIN"
	if _, err := command(content, loadMain); err != nil {
		entry = "LC_UNIXTHREAD" // what Go's linker writes for x86_64
		if _, err := command(content, loadThread); err != nil || a.Cpu != macho.CpuAmd64 {
			r.bad("%s: %v has no entry", path, a.Cpu)
		}
	}
	if _, err := command(content, loadUUID); err != nil {
		r.bad("%s: %v has no LC_UUID: macOS 26 runs no such program", path, a.Cpu)
	}
	libraries, err := a.ImportedLibraries()
	if err != nil {
		r.bad("%s: %v", path, err)
	}
	for _, l := range libraries {
		if !strings.HasPrefix(l, "/usr/lib/") && !strings.HasPrefix(l, "/System/Library/Frameworks/") {
			r.bad("%s needs %s, which is not the system's", path, l)
		}
	}
	signature := "no signature"
	if _, err := command(content, loadSignature); err == nil {
		signature = "the linker's signature, void"
	}
	r.say("%-20s %-6v %8d bytes, macOS %s, SDK %s, %s, %d system libraries, %s",
		filepath.Base(path), strings.TrimPrefix(a.Cpu.String(), "Cpu"), a.Size, unpacked(b.minOS), unpacked(b.sdk), entry, len(libraries), signature)
}

// nested: an extension is the app's by its identifier, and of the same version.
func (r *report) nested(app, appex map[string]any) {
	outer, _ := app["CFBundleIdentifier"].(string)
	inner, _ := appex["CFBundleIdentifier"].(string)
	if !strings.HasPrefix(inner, outer+".") {
		r.bad("the extension %s is not below the app %s", inner, outer)
	}
	for _, key := range []string{"CFBundleVersion", "CFBundleShortVersionString"} {
		if app[key] != appex[key] {
			r.bad("%s: the app has %v, the extension %v", key, app[key], appex[key])
		}
	}
}

// extension looks at what makes the extension a credential provider.
func (r *report) extension(info map[string]any) {
	e, _ := info["NSExtension"].(map[string]any)
	if e["NSExtensionPointIdentifier"] != "com.apple.authentication-services-credential-provider-ui" {
		r.bad("the extension is for %v", e["NSExtensionPointIdentifier"])
	}
	if class, _ := e["NSExtensionPrincipalClass"].(string); class != principalClass || strings.Contains(class, ".") {
		r.bad("the class is %q, registered is %q", class, principalClass)
	}
	attributes, _ := e["NSExtensionAttributes"].(map[string]any)
	capabilities, _ := attributes["ASCredentialProviderExtensionCapabilities"].(map[string]any)
	for _, want := range []string{"ProvidesPasskeys", "SupportsCredentialUpdate"} {
		if capabilities[want] != true {
			r.bad("the extension does not say %s", want)
		}
	}
	if capabilities["ProvidesPasswords"] == true {
		r.bad("the extension promises passwords")
	}
}

// entitlements: nothing missing, nothing that we do not need, no comments.
func (r *report) entitlements(path string, info map[string]any, o options, sandboxed bool) {
	content, err := os.ReadFile(path)
	if err != nil {
		r.bad("%v", err)
		return
	}
	if bytes.Contains(content, []byte("<!--")) {
		r.bad("%s has a comment: codesign would drop all of it and say nothing", path)
	}
	id, _ := info["CFBundleIdentifier"].(string)
	want := map[string]any{
		"com.apple.application-identifier":                                         o.Team + "." + id,
		"com.apple.developer.team-identifier":                                      o.Team,
		"com.apple.developer.authentication-services.autofill-credential-provider": true,
		"com.apple.security.application-groups":                                    []string{o.Group},
	}
	if sandboxed {
		want["com.apple.security.app-sandbox"] = true
	}
	got := r.plist(path)
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if !reflect.DeepEqual(got[key], want[key]) {
			r.bad("%s: %s is %v, want %v", path, key, got[key], want[key])
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			r.bad("%s: %s is not needed", path, key)
		}
	}
}

// icon walks an icns file.
func (r *report) icon(path string) {
	content, err := os.ReadFile(path)
	if err != nil {
		r.bad("%v", err)
		return
	}
	if len(content) < 8 || string(content[:4]) != "icns" || int(binary.BigEndian.Uint32(content[4:])) != len(content) {
		r.bad("%s is no icon", path)
		return
	}
	n := 0
	for at := 8; at < len(content); n++ {
		if len(content)-at < 8 {
			r.bad("%s ends within a header", path)
			return
		}
		length := int(binary.BigEndian.Uint32(content[at+4:]))
		if length < 8 || at+length > len(content) || !bytes.HasPrefix(content[at+8:at+length], []byte("\x89PNG")) {
			r.bad("%s: entry %d is no picture", path, n)
			return
		}
		at += length
	}
	r.say("%-20s %d pictures, %d bytes", filepath.Base(path), n, len(content))
}

// size adds up what there is.
func (r *report) size(dir string) error {
	total, files := int64(0), 0
	err := filepath.WalkDir(filepath.Join(dir, "LocalPasskey.app"), func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		total += info.Size()
		files++
		return nil
	})
	r.say("%-20s %d files, %d bytes", "LocalPasskey.app", files, total)
	return err
}
