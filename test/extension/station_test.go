//go:build e2e && linux

package extension_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/browsers"
	"github.com/localpasskey/localpasskey/test/browser"
)

// What the extension is known by.
const (
	hostName   = browsers.HostName
	chromiumID = browsers.ChromiumID
	firefoxID  = browsers.FirefoxID
)

// Bounds of time, on a machine that may be busy.
const (
	startLimit = 2 * time.Minute
	patience   = 30 * time.Second
)

// station is a browser with the extension, and the directory of the host that it starts.
type station struct {
	name    string
	browser browser.Browser
	home    string // of the browser
	host    string
	plugged bool
	given   int // bytes of what the host was told; see heard
}

// start gives a station without a host that it may start; see allow. It has our extension.
func start(t *testing.T, name string) *station {
	t.Helper()
	return startWith(t, name, ourDir(t, name))
}

// ourDir is our extension as it is packed for that browser, unpacked.
func ourDir(t *testing.T, name string) string {
	t.Helper()
	packed, dir := t.TempDir(), t.TempDir()
	c := exec.CommandContext(t.Context(), "go", "run", "./packaging/extension", packed)
	c.Dir = "../.."
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found, err := filepath.Glob(filepath.Join(packed, "localpasskey-"+strings.ToLower(name)+"-*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%q, %v", found, err)
	}
	files, err := zip.OpenReader(found[0])
	check(t, err)
	defer files.Close()
	check(t, os.CopyFS(dir, files))
	return dir
}

// shortDir is a temporary directory without the test's name: Chromium keeps a socket below
// its home, whose path may have 107 bytes.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ext")
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	return dir
}

// startWith is start with these extensions, in their order.
func startWith(t *testing.T, name string, extensions ...string) *station {
	t.Helper()
	s := &station{name: name, home: shortDir(t), host: t.TempDir()}
	config := browser.Config{Dir: s.home, Extensions: extensions, Virtual: true, UUIDs: map[string]string{firefoxID: firefoxUUID}}
	var err error
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	if name == "Chromium" {
		s.browser, err = browser.StartChromium(ctx, config)
	} else {
		s.browser, err = browser.StartFirefox(ctx, config)
	}
	check(t, err)
	t.Cleanup(func() { check(t, s.browser.Close()) })
	return s
}

// build builds a program of this module.
func build(t *testing.T, program, file string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", "build", "-o", file, program)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", c, err, out)
	}
}

// allow writes the file by which the browser finds the host and lets an extension use it:
// ours, or else one of that name.
func (s *station) allow(t *testing.T, other string) {
	t.Helper()
	chromium, firefox := chromiumID, firefoxID
	if other != "" {
		chromium, firefox = strings.Repeat("a", len(chromiumID)), other+"@localpasskey"
	}
	manifest := map[string]any{"name": hostName, "description": "LocalPasskey", "path": filepath.Join(s.host, "host"), "type": "stdio"}
	file := filepath.Join(s.home, ".mozilla", "native-messaging-hosts", hostName+".json")
	if s.name == "Chromium" {
		file = filepath.Join(s.home, "NativeMessagingHosts", hostName+".json")
		manifest["allowed_origins"] = []string{"chrome-extension://" + chromium + "/"}
	} else {
		manifest["allowed_extensions"] = []string{firefox}
	}
	content, err := json.Marshal(manifest)
	check(t, err)
	check(t, os.MkdirAll(filepath.Dir(file), 0o700))
	check(t, os.WriteFile(file, content, 0o600))
}

// atWork holds where our extension is at work. Neighbours put their own in the place of
// create, and leave get to us.
const atWork = `!Function.prototype.toString.call(navigator.credentials.get).includes("[native code]")`

// open opens a page on which the extension is at work.
func (s *station) open(t *testing.T, url string) browser.Page {
	t.Helper()
	return s.openWhere(t, url, atWork)
}

// openWhere opens a page on which that holds: a browser that has just started may be
// without its extensions on the first ones.
func (s *station) openWhere(t *testing.T, url, holds string) browser.Page {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	for {
		opened, err := s.browser.Open(ctx, url)
		check(t, err)
		var held bool
		check(t, opened.Evaluate(ctx, holds, &held))
		if held {
			return opened
		}
		check(t, opened.Close(ctx))
		time.Sleep(100 * time.Millisecond)
	}
}

// firefoxUUID is where Firefox keeps the extension's pages; the profile says so before.
const firefoxUUID = "0f0f0f0f-0000-4000-8000-000000000000"

// extensionPage opens a page of the extension's own in a tab.
func (s *station) extensionPage(t *testing.T, path string) browser.Page {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	address := "chrome-extension://" + chromiumID + "/" + path
	if s.name == "Firefox" {
		address = "moz-extension://" + firefoxUUID + "/" + path
	}
	p, err := s.browser.Open(ctx, address)
	check(t, err)
	return p
}

// plug gives a page a security key of the browser's own: Chromium has one for each page,
// Firefox one for all, and asks which of several is meant.
func (s *station) plug(t *testing.T, p browser.Page) {
	t.Helper()
	if s.name == "Firefox" && s.plugged {
		return
	}
	s.plugged = true
	check(t, p.(browser.Keyed).PlugIn(t.Context()))
}

// wants holds an expression to its value, as a text.
func wants(t *testing.T, p browser.Page, expression, want string) {
	t.Helper()
	wantsWithin(t, patience, p, expression, want)
}

func wantsWithin(t *testing.T, limit time.Duration, p browser.Page, expression, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	got, err := value(ctx, p, expression)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	if got != want {
		t.Errorf("%s: %q, want %q", expression, got, want)
	}
}

// value gives what an expression comes to, as a text.
func value(ctx context.Context, p browser.Page, expression string) (got string, err error) {
	err = p.Evaluate(ctx, "(async () => String(await ("+expression+")))()", &got)
	return got, err
}

// script tells the scripted host what to do from now on.
func (s *station) script(t *testing.T, format string, args ...any) {
	t.Helper()
	check(t, os.WriteFile(filepath.Join(s.host, "script"), fmt.Appendf(nil, format, args...), 0o600))
}

// heard gives what the scripted host was told since the last time. The file stays, and
// only whole lines count: the host may be writing the next one.
func (s *station) heard(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.host, "heard"))
	if os.IsNotExist(err) {
		return nil
	}
	check(t, err)
	fresh := content[s.given:]
	whole := string(fresh[:bytes.LastIndexByte(fresh, '\n')+1])
	if whole == "" {
		return nil
	}
	s.given += len(whole)
	return strings.Split(strings.TrimSuffix(whole, "\n"), "\n")
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// registered is an answer of the scripted host's: pages know it by its ID.
const registered = `{"protocol":1,"result":{"id":"b3Vycw","rawId":"b3Vycw","type":"public-key","authenticatorAttachment":"platform",` +
	`"clientExtensionResults":{},"response":{"clientDataJSON":"e30","attestationObject":"oA","authenticatorData":"AA",` +
	`"transports":["internal"],"publicKeyAlgorithm":-7}}}`

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
