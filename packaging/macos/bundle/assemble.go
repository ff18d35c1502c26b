package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/localpasskey/localpasskey/internal/provider/appex"
)

const principalClass = appex.Class

// The programs, by the name that Info.plist gives them.
const (
	appProgram   = "LocalPasskey"
	appexProgram = "CredentialProvider"
)

// builder builds the program of a package for a processor into a file.
type builder func(ctx context.Context, o options, pkg, arch, file string) error

// goBuild is the builder.
func goBuild(ctx context.Context, o options, pkg, arch, file string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", //nolint:gosec // Our own package, and options that were checked.
		"-ldflags", "-s -w -X main.group="+o.Group+" -X main.version="+o.number(), "-o", file, pkg)
	cmd.Env = append(os.Environ(), "GOOS=darwin", "GOARCH="+arch, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build %s for %s: %w", pkg, arch, err)
	}
	return nil
}

func (o options) app() string { return filepath.Join(o.Out, "LocalPasskey.app", "Contents") }
func (o options) appex() string {
	return filepath.Join(o.app(), "PlugIns", "CredentialProvider.appex", "Contents")
}

// The files beside the app, for who signs it.
func (o options) appEntitlements() string   { return filepath.Join(o.Out, "app.entitlements") }
func (o options) appexEntitlements() string { return filepath.Join(o.Out, "appex.entitlements") }
func (o options) rcodesign() string         { return filepath.Join(o.Out, "rcodesign.toml") }

// file is one file of the result.
type file struct {
	path    string
	content []byte
	mode    os.FileMode
}

// assemble makes the whole of it.
func assemble(ctx context.Context, o options, build builder) error {
	if err := os.RemoveAll(o.Out); err != nil {
		return err
	}
	app, err := program(ctx, o, build, "./cmd/localpasskey-app")
	if err != nil {
		return err
	}
	provider, err := program(ctx, o, build, "./cmd/localpasskey-provider")
	if err != nil {
		return err
	}
	icon, err := icns()
	if err != nil {
		return err
	}
	files := []file{
		{filepath.Join(o.app(), "MacOS", appProgram), app, 0o755},
		{filepath.Join(o.app(), "Info.plist"), o.appInfo().encode(), 0o644},
		{filepath.Join(o.app(), "PkgInfo"), []byte("APPL????"), 0o644},
		{filepath.Join(o.app(), "Resources", "LocalPasskey.icns"), icon, 0o644},
		{filepath.Join(o.appex(), "MacOS", appexProgram), provider, 0o755},
		{filepath.Join(o.appex(), "Info.plist"), o.appexInfo().encode(), 0o644},
		{o.appEntitlements(), o.entitlements(o.ID, false).encode(), 0o644},
		{o.appexEntitlements(), o.entitlements(o.appexID(), true).encode(), 0o644},
		{o.rcodesign(), []byte(rcodesign), 0o644},
	}
	for from, to := range map[string]string{o.AppProfile: o.app(), o.AppexProfile: o.appex()} {
		if from == "" {
			continue
		}
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		files = append(files, file{filepath.Join(to, "embedded.provisionprofile"), content, 0o644})
	}
	return write(files)
}

// program is a package's program for both processors in one file.
func program(ctx context.Context, o options, build builder, pkg string) ([]byte, error) {
	work, err := os.MkdirTemp("", "bundle-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work) //nolint:errcheck // A temporary directory.
	var thin [][]byte
	for _, arch := range []string{"arm64", "amd64"} {
		path := filepath.Join(work, arch)
		if err := build(ctx, o, pkg, arch, path); err != nil {
			return nil, err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if content, err = claim(content, minimum, o.SDK); err != nil {
			return nil, err
		}
		thin = append(thin, content)
	}
	return universal(thin...)
}

func write(files []file) error {
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil { //nolint:gosec // An app is for everybody to read.
			return err
		}
		if err := os.WriteFile(f.path, f.content, f.mode); err != nil {
			return err
		}
	}
	return nil
}

// rcodesign is the settings file of rcodesign, which signs on Linux.
const rcodesign = `[default.sign.path."main"]
code_signature_flags = ["runtime"]
entitlements_xml_file = "app.entitlements"

[default.sign.path."Contents/PlugIns/CredentialProvider.appex"]
code_signature_flags = ["runtime"]
entitlements_xml_file = "appex.entitlements"
`

// signing says how to sign the result: from the inside out, and never --deep, which
// gives the extension the app's entitlements.
func signing(o options) string {
	return fmt.Sprintf(`
Not signed yet: macOS runs none of it before it is. In %[1]s, on a Mac:

  codesign -f --options runtime --timestamp --entitlements appex.entitlements -s 'Developer ID Application: …' LocalPasskey.app/Contents/PlugIns/CredentialProvider.appex
  codesign -f --options runtime --timestamp --entitlements app.entitlements -s 'Developer ID Application: …' LocalPasskey.app
  codesign -d --entitlements - LocalPasskey.app/Contents/PlugIns/CredentialProvider.appex

or here:  rcodesign sign -C rcodesign.toml --p12-file developer-id.p12 LocalPasskey.app

What comes next is in docs/macos.md, "Signing".
`, o.Out)
}
