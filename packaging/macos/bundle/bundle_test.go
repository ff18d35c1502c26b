package main

import (
	"bytes"
	"context"
	"debug/macho"
	"encoding/binary"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// thin builds a small program for a processor, once.
func thin(t *testing.T, arch string) []byte {
	t.Helper()
	content, err := smallPrograms[arch]()
	if err != nil {
		t.Fatal(err)
	}
	return content
}

var smallPrograms = map[string]func() ([]byte, error){"arm64": small("arm64"), "amd64": small("amd64")}

func small(arch string) func() ([]byte, error) {
	return sync.OnceValues(func() ([]byte, error) {
		dir, err := os.MkdirTemp("", "small-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
			return nil, err
		}
		out := filepath.Join(dir, "program")
		cmd := exec.CommandContext(context.Background(), "go", "build", "-ldflags", "-s -w", "-o", out, filepath.Join(dir, "main.go"))
		cmd.Env = append(os.Environ(), "GOOS=darwin", "GOARCH="+arch, "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return nil, err
		}
		return os.ReadFile(out)
	})
}

func testOptions(t *testing.T) options {
	t.Helper()
	o := options{Out: filepath.Join(t.TempDir(), "out"), ID: "app.example", Team: "TEAM000000", Version: "v1.2.3-4-gabc", SDK: "26.0"}
	o.Group = o.Team + "." + o.ID
	return o
}

// assembled makes a bundle with small programs.
func assembled(t *testing.T) options {
	t.Helper()
	o := testOptions(t)
	if err := assemble(t.Context(), o, func(_ context.Context, _ options, _, arch, file string) error {
		return os.WriteFile(file, thin(t, arch), 0o755)
	}); err != nil {
		t.Fatal(err)
	}
	return o
}

func look(t *testing.T, o options) *report {
	t.Helper()
	r, err := inspect(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBundle(t *testing.T) {
	t.Parallel()
	o := assembled(t)
	r := look(t, o)
	if len(r.wrong) != 0 {
		t.Errorf("wrong: %q", r.wrong)
	}
	info, err := parsePlist(o.appexInfo().encode())
	if err != nil || info["CFBundleShortVersionString"] != "1.2.3" || info["CFBundleIdentifier"] != "app.example.CredentialProvider" {
		t.Errorf("%v, %v", info, err)
	}
	for _, want := range []string{"never be", "--deep"} {
		if strings.Contains(signing(o), want) {
			t.Errorf("the instructions say %q", want)
		}
	}
	inner, outer := strings.Index(signing(o), "-s 'Developer ID Application: …' LocalPasskey.app/Contents/PlugIns"), strings.Index(signing(o), "-s 'Developer ID Application: …' LocalPasskey.app\n")
	if inner < 0 || outer < inner {
		t.Error("the app is signed before what is in it")
	}
}

// TestInspectSees: each mistake that the result can have is seen, and named.
func TestInspectSees(t *testing.T) {
	t.Parallel()
	replace := func(path func(options) string, from, to string) func(*testing.T, options) {
		return func(t *testing.T, o options) {
			content, err := os.ReadFile(path(o))
			if err != nil || !bytes.Contains(content, []byte(from)) {
				t.Fatalf("%v, or no %q in %s", err, from, path(o))
			}
			if err := os.WriteFile(path(o), bytes.Replace(content, []byte(from), []byte(to), 1), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	appInfo := func(o options) string { return filepath.Join(o.app(), "Info.plist") }
	appexInfo := func(o options) string { return filepath.Join(o.appex(), "Info.plist") }
	icon := func(o options) string { return filepath.Join(o.app(), "Resources", "LocalPasskey.icns") }
	exe := func(o options) string { return filepath.Join(o.appex(), "MacOS", "CredentialProvider") }
	rewrite := func(content func(*testing.T) []byte) func(*testing.T, options) {
		return func(t *testing.T, o options) {
			if err := os.WriteFile(exe(o), content(t), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		breakIt func(*testing.T, options)
		want    string
	}{
		"comment in the entitlements": {replace(options.appexEntitlements, "<dict>", "<!-- why -->\n<dict>"), "comment"},
		"no sandbox":                  {replace(options.appexEntitlements, "com.apple.security.app-sandbox", "com.apple.security.sandbox"), "app-sandbox"},
		"sandboxed app":               {replace(options.appEntitlements, "<dict>", "<dict><key>com.apple.security.app-sandbox</key><true/>"), "not needed"},
		"keychain group":              {replace(options.appEntitlements, "<dict>", "<dict><key>keychain-access-groups</key><array/>"), "keychain-access-groups is not needed"},
		"another team":                {replace(options.appEntitlements, "TEAM000000.app.example", "TEAM000001.app.example"), "application-identifier"},
		"another group":               {replace(options.appexEntitlements, "<array>\n\t\t<string>TEAM", "<array>\n\t\t<string>TEAN"), "application-groups"},
		"module before the class":     {replace(appexInfo, principalClass, "LocalPasskey."+principalClass), "class"},
		"misspelt class":              {replace(appexInfo, principalClass, principalClass+"s"), "class"},
		"another extension point":     {replace(appexInfo, "credential-provider-ui", "credential-provider"), "the extension is for"},
		"type of an app":              {replace(appexInfo, "XPC!", "APPL"), "type"},
		"not below the app":           {replace(appexInfo, "app.example.CredentialProvider", "app.exampleCredentialProvider"), "not below"},
		"another version":             {replace(appexInfo, "<key>CFBundleVersion</key>\n\t<string>1.2.3", "<key>CFBundleVersion</key>\n\t<string>1.2.4"), "CFBundleVersion"},
		"no passkeys":                 {replace(appexInfo, "ProvidesPasskeys", "ProvidesPasswords"), "ProvidesPasskeys"},
		"no identifier":               {replace(appInfo, "CFBundleIdentifier", "CFBundleIdentifyer"), "CFBundleIdentifier"},
		"another program":             {replace(appInfo, "<string>LocalPasskey</string>\n\t<key>CFBundleIdentifier", "<string>Local</string>\n\t<key>CFBundleIdentifier"), "no such file"},
		"twice the same key":          {replace(appInfo, "<dict>", "<dict><key>CFBundleName</key><string>x</string>"), "twice"},
		"not XML":                     {replace(appInfo, "</dict>", "</dct>"), "Info.plist"},
		"another minimum":             {replace(appexInfo, "<string>14.0</string>", "<string>13.0</string>"), "Info.plist says 13.0"},
		"icon cut short":              {replace(icon, "IEND", ""), "icon"},
		"no program for Intel":        {rewrite(func(t *testing.T) []byte { return mustUniversal(t, claimed(t, "arm64")) }), "not for arm64 and x86_64"},
		"one processor, no frame":     {rewrite(func(t *testing.T) []byte { return claimed(t, "arm64") }), "CredentialProvider"},
		"not patched":                 {rewrite(func(t *testing.T) []byte { return mustUniversal(t, thin(t, "arm64"), claimed(t, "amd64")) }), "SDK"},
		"no UUID": {rewrite(func(t *testing.T) []byte {
			content := bytes.Clone(claimed(t, "amd64"))
			at, err := command(content, loadUUID)
			must(t, err)
			content[at] = 0x7f
			return mustUniversal(t, claimed(t, "arm64"), content)
		}), "no LC_UUID"},
		"no entry": {rewrite(func(t *testing.T) []byte {
			content := bytes.Clone(claimed(t, "arm64"))
			at, err := command(content, loadMain)
			must(t, err)
			content[at] = 0x7f
			return mustUniversal(t, content, claimed(t, "amd64"))
		}), "no entry"},
		"not to be run":   {func(t *testing.T, o options) { must(t, os.Chmod(exe(o), 0o644)) }, "cannot be run"},
		"program missing": {func(t *testing.T, o options) { must(t, os.Remove(exe(o))) }, "no such file"},
		"extension elsewhere": {func(t *testing.T, o options) {
			must(t, os.Rename(filepath.Join(o.app(), "PlugIns"), filepath.Join(o.app(), "Plugins")))
		}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := assembled(t)
			c.breakIt(t, o)
			if wrong := strings.Join(look(t, o).wrong, "\n"); !strings.Contains(wrong, c.want) {
				t.Errorf("found %q, want %q", wrong, c.want)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func claimed(t *testing.T, arch string) []byte {
	t.Helper()
	content, err := claim(thin(t, arch), minimum, "26.0")
	must(t, err)
	return content
}

func mustUniversal(t *testing.T, programs ...[]byte) []byte {
	t.Helper()
	content, err := universal(programs...)
	must(t, err)
	return content
}

// TestClaim changes the two versions and nothing else.
func TestClaim(t *testing.T) {
	t.Parallel()
	for _, arch := range []string{"arm64", "amd64"} {
		before := thin(t, arch)
		after, err := claim(before, "14.0", "26.5")
		must(t, err)
		b, err := buildOf(after)
		if err != nil || b.platform != platformMacOS || b.minOS != 14<<16 || b.sdk != 26<<16|5<<8 {
			t.Errorf("%s: %+v, %v", arch, b, err)
		}
		was, err := buildOf(before)
		must(t, err)
		back, err := claim(after, unpacked(was.minOS), unpacked(was.sdk))
		if err != nil || !bytes.Equal(back, before) {
			t.Errorf("%s: more than the versions was changed: %v", arch, err)
		}
	}
	for _, content := range [][]byte{nil, []byte("#!/bin/sh"), make([]byte, 4096)} {
		if _, err := claim(content, "14.0", "26.0"); err == nil {
			t.Errorf("%d bytes that are no program were changed", len(content))
		}
	}
}

// TestUniversal: each part comes out as it went in, where its processor wants it.
func TestUniversal(t *testing.T) {
	t.Parallel()
	arm, amd := thin(t, "arm64"), thin(t, "amd64")
	fat, err := macho.NewFatFile(bytes.NewReader(mustUniversal(t, arm, amd)))
	if err != nil {
		t.Fatal(err)
	}
	content := mustUniversal(t, arm, amd)
	for i, want := range [][]byte{arm, amd} {
		a := fat.Arches[i]
		if !bytes.Equal(content[a.Offset:a.Offset+a.Size], want) || a.Offset%(1<<a.Align) != 0 {
			t.Errorf("part %d is at %d with %d bytes", i, a.Offset, a.Size)
		}
	}
	if fat.Arches[0].Cpu != macho.CpuArm64 || fat.Arches[0].Align != 14 || fat.Arches[1].Cpu != macho.CpuAmd64 || fat.Arches[1].Align != 12 {
		t.Errorf("%+v", fat.Arches)
	}
	if _, err := universal(arm, []byte("x")); err == nil {
		t.Error("took what is no program")
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	good := testOptions(t)
	if err := good.check(); err != nil {
		t.Error(err)
	}
	good.Group = "group.app.example"
	if err := good.check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*options){
		"id":            func(o *options) { o.ID = "app example" },
		"no dot":        func(o *options) { o.ID = "app" },
		"team":          func(o *options) { o.Team = "team" },
		"group":         func(o *options) { o.Group = "app.example" },
		"another team":  func(o *options) { o.Group = "OTHER00000.app.example" },
		"sdk":           func(o *options) { o.SDK = "new" },
		"linker option": func(o *options) { o.Group = o.Team + ".x -X main.y=z" },
	} {
		o := testOptions(t)
		change(&o)
		if o.check() == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for version, want := range map[string]string{"v1.2.3": "1.2.3", "v0.4-12-gabcdef": "0.4", "2.0.1": "2.0.1", "abcdef0": "0.0.0", "": "0.0.0", "unknown": "0.0.0"} {
		if got := (options{Version: version}).number(); got != want {
			t.Errorf("%q is %q, want %q", version, got, want)
		}
	}
}

// TestIcon: the pictures have their sizes, and show the SVG's drawing.
func TestIcon(t *testing.T) {
	t.Parallel()
	content, err := icns()
	must(t, err)
	at, seen := 8, 0
	for _, i := range icons() {
		length := int(binary.BigEndian.Uint32(content[at+4:]))
		picture, err := png.Decode(bytes.NewReader(content[at+8 : at+length]))
		if err != nil || string(content[at:at+4]) != i.kind || picture.Bounds().Dx() != i.size || picture.Bounds().Dy() != i.size {
			t.Errorf("%s: %v", i.kind, err)
		}
		at += length
		seen++
	}
	if at != len(content) || seen != 10 {
		t.Errorf("%d pictures, and %d bytes left", seen, len(content)-at)
	}
	picture := draw(128)
	for name, c := range map[string]struct {
		x, y    int
		r, g, b uint32
		opaque  bool
	}{
		"corner": {0, 0, 0xf4, 0xf1, 0xe8, false}, "plate": {20, 64, 0xf4, 0xf1, 0xe8, true},
		"chip": {45, 80, 0x1f, 0x5f, 0x5b, true}, "key's bow": {55, 46, 0xf4, 0xf1, 0xe8, true}, "hole of the bow": {55, 55, 0x1f, 0x5f, 0x5b, true},
	} {
		r, g, b, a := picture.At(c.x, c.y).RGBA()
		if (a == 0xffff) != c.opaque || c.opaque && (r>>8 != c.r || g>>8 != c.g || b>>8 != c.b) {
			t.Errorf("%s is %x %x %x %x", name, r>>8, g>>8, b>>8, a>>8)
		}
	}
	svg, err := os.ReadFile("../../linux/localpasskey.svg")
	must(t, err)
	for _, part := range []string{`x="24" y="24" width="80" height="80" rx="14" fill="#1f5f5b"`, `cx="52" cy="52" r="12"`, `M61 61l25 25M79 79l7-7M70 70l6-6`, "#f4f1e8"} {
		if !bytes.Contains(svg, []byte(part)) {
			t.Errorf("the SVG has no %s any more: draw the icon after it", part)
		}
	}
}
