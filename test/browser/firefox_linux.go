package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// firefoxProgram is Debian's.
const firefoxProgram = "/usr/lib/firefox-esr/firefox-esr"

// firefoxPrefs are for a browser that nobody looks at, in a machine without a network,
// whose passkeys come by USB.
func firefoxPrefs(c Config) map[string]any {
	return map[string]any{
		"security.webauth.webauthn_enable_usbtoken":  !c.Virtual,
		"security.webauth.webauthn_enable_softtoken": c.Virtual,
		"remote.active-protocols":                    1, // BiDi
		"marionette.port":                            0, // any
		// Nothing of the first day, nothing that calls home, nothing in advance.
		"app.normandy.enabled":                       false,
		"app.update.enabled":                         false,
		"browser.aboutwelcome.enabled":               false,
		"browser.newtab.preload":                     false,
		"browser.newtabpage.enabled":                 false,
		"browser.safebrowsing.update.enabled":        false,
		"browser.shell.checkDefaultBrowser":          false,
		"browser.startup.homepage_override.mstone":   "ignore",
		"browser.startup.page":                       0,
		"datareporting.policy.dataSubmissionEnabled": false,
		"dom.ipc.processPrelaunch.enabled":           false,
		"extensions.update.enabled":                  false,
		"network.captive-portal-service.enabled":     false,
		"network.connectivity-service.enabled":       false,
		"services.settings.server":                   "data:,",
		"toolkit.telemetry.reportingpolicy.firstRun": false,
		"ui.prefersReducedMotion":                    1,
	}
}

// Firefox is a running Firefox.
type Firefox struct {
	*process
	// Version is its major version.
	Version int
	conn    *conn
	window  *marionette
}

// StartFirefox starts one; ctx bounds how long that may take.
func StartFirefox(ctx context.Context, c Config) (_ *Firefox, err error) {
	profile := filepath.Join(c.Dir, "profile")
	if err := writePrefs(profile, c); err != nil {
		return nil, err
	}
	args := []string{
		"--no-remote", "--profile", profile, "--marionette", "--remote-debugging-port=0", "--remote-allow-system-access",
	}
	if c.Display == nil {
		args = append(args, "--headless")
	}
	b := &Firefox{}
	env := c.env("RUST_LOG=authenticator=debug") // what it and the key say to each other
	if b.process, err = start(ctx, c.Dir, env, firefoxProgram, append(args, c.Args...)...); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	if err := b.connect(ctx, profile); err != nil {
		return nil, err
	}
	if err := b.install(ctx, c.Extensions); err != nil {
		return nil, err
	}
	return b, nil
}

func writePrefs(profile string, c Config) error {
	if err := os.MkdirAll(profile, 0o700); err != nil {
		return err
	}
	prefs := firefoxPrefs(c)
	if len(c.UUIDs) > 0 {
		uuids, err := json.Marshal(c.UUIDs)
		if err != nil {
			return err
		}
		prefs["extensions.webextensions.uuids"] = string(uuids)
	}
	var file strings.Builder
	for _, name := range slices.Sorted(maps.Keys(prefs)) {
		value, err := json.Marshal(prefs[name])
		if err != nil {
			return err
		}
		fmt.Fprintf(&file, "user_pref(%q, %s);\n", name, value)
	}
	return os.WriteFile(filepath.Join(profile, "user.js"), []byte(file.String()), 0o600)
}

// connect opens a session that both protocols have part in.
func (b *Firefox) connect(ctx context.Context, profile string) error {
	var port int
	err := b.await(ctx, "waiting for Marionette's port", func() bool {
		content, err := os.ReadFile(filepath.Join(profile, "MarionetteActivePort"))
		return err == nil && json.Unmarshal(content, &port) == nil
	})
	if err != nil {
		return err
	}
	if b.window, err = dialMarionette(ctx, port); err != nil {
		return b.problem(err)
	}
	var session struct {
		Capabilities struct{ WebSocketURL, BrowserVersion string }
	}
	err = b.window.call(ctx, "WebDriver:NewSession", map[string]any{
		"webSocketUrl": true,
		// Dialogs are the test's business: without this, they are dismissed.
		"unhandledPromptBehavior": "ignore",
	}, &session)
	if err == nil {
		major, _, _ := strings.Cut(session.Capabilities.BrowserVersion, ".")
		b.Version, err = strconv.Atoi(major)
	}
	if err == nil {
		err = b.window.call(ctx, "Marionette:SetContext", map[string]any{"value": "chrome"}, nil)
	}
	if err != nil {
		return b.problem(err)
	}
	b.conn, err = dial(ctx, session.Capabilities.WebSocketURL)
	return b.problem(err)
}

// install adds extensions for as long as the browser runs.
func (b *Firefox) install(ctx context.Context, dirs []string) error {
	for _, dir := range dirs {
		err := b.conn.call(ctx, "", "webExtension.install", map[string]any{
			"extensionData": map[string]any{"type": "path", "path": dir},
		}, nil)
		if err != nil {
			return b.problem(err)
		}
	}
	return nil
}

// Log is what it prints.
func (b *Firefox) Log() *Log { return b.log }

// Close ends it.
func (b *Firefox) Close() error {
	if b.conn != nil {
		b.conn.close()
	}
	if b.window != nil {
		_ = b.window.conn.Close() // it goes with the browser
	}
	return b.stop()
}

// Open opens a page in a tab of its own.
func (b *Firefox) Open(ctx context.Context, url string) (Page, error) {
	p := &firefoxPage{conn: b.conn, window: b.window}
	var made struct{ Context string }
	if err := b.conn.call(ctx, "", "browsingContext.create", map[string]any{"type": "tab"}, &made); err != nil {
		return nil, b.problem(err)
	}
	p.context = made.Context
	return p, b.problem(b.conn.call(ctx, "", "browsingContext.navigate", map[string]any{
		"context": p.context, "url": url, "wait": "complete",
	}, nil))
}

// Window is the browser's own window.
func (b *Firefox) Window() Window { return b.window }

// firefoxPage is a browsing context of WebDriver BiDi.
type firefoxPage struct {
	conn    *conn
	window  *marionette
	context string
}

// Evaluate works out an expression in the page.
func (p *firefoxPage) Evaluate(ctx context.Context, expression string, into any) error {
	var got struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct{ Text string }
	}
	err := p.conn.call(ctx, "", "script.evaluate", map[string]any{
		"expression": said(expression), "target": map[string]any{"context": p.context},
		"awaitPromise": true, "userActivation": true,
	}, &got)
	switch {
	case err != nil:
		return err
	case got.ExceptionDetails != nil:
		return errors.New(got.ExceptionDetails.Text)
	}
	return hear(got.Result.Value, into)
}

// Screenshot gives a PNG of the page.
func (p *firefoxPage) Screenshot(ctx context.Context) ([]byte, error) {
	var got struct{ Data []byte }
	err := p.conn.call(ctx, "", "browsingContext.captureScreenshot", map[string]any{"context": p.context}, &got)
	return got.Data, err
}

// PlugIn gives the browser a security key that says yes to everything.
func (p *firefoxPage) PlugIn(ctx context.Context) error {
	return p.window.call(ctx, "WebAuthn:AddVirtualAuthenticator", map[string]any{
		"protocol": "ctap2", "transport": "usb", "hasResidentKey": true, "hasUserVerification": true,
		"isUserConsenting": true, "isUserVerified": true,
	}, nil)
}

// Front brings the tab to the front.
func (p *firefoxPage) Front(ctx context.Context) error {
	return p.conn.call(ctx, "", "browsingContext.activate", map[string]any{"context": p.context}, nil)
}

// Close closes the tab.
func (p *firefoxPage) Close(ctx context.Context) error {
	return p.conn.call(ctx, "", "browsingContext.close", map[string]any{"context": p.context}, nil)
}
