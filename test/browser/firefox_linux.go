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
	"strings"
)

// firefoxProgram is Debian's.
const firefoxProgram = "/usr/lib/firefox-esr/firefox-esr"

// firefoxPrefs are for a browser that nobody looks at, in a machine without a network,
// whose passkeys come by USB.
func firefoxPrefs() map[string]any {
	return map[string]any{
		"security.webauth.webauthn_enable_usbtoken":  true,
		"security.webauth.webauthn_enable_softtoken": false,
		"remote.active-protocols":                    1, // BiDi
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
	conn *conn
}

// StartFirefox starts one; ctx bounds how long that may take.
func StartFirefox(ctx context.Context, c Config) (_ *Firefox, err error) {
	profile := filepath.Join(c.Dir, "profile")
	if err := writePrefs(profile); err != nil {
		return nil, err
	}
	args := []string{
		"--no-remote", "--profile", profile, "--remote-debugging-port=0", "--remote-allow-system-access",
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
	return b, nil
}

func writePrefs(profile string) error {
	if err := os.MkdirAll(profile, 0o700); err != nil {
		return err
	}
	prefs := firefoxPrefs()
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

// connect opens a BiDi session.
func (b *Firefox) connect(ctx context.Context, profile string) error {
	var server struct {
		Host string `json:"ws_host"`
		Port int    `json:"ws_port"`
	}
	err := b.await(ctx, "waiting for the BiDi port", func() bool {
		content, err := os.ReadFile(filepath.Join(profile, "WebDriverBiDiServer.json"))
		return err == nil && json.Unmarshal(content, &server) == nil
	})
	if err != nil {
		return err
	}
	if b.conn, err = dial(ctx, fmt.Sprintf("ws://%s:%d/session", server.Host, server.Port)); err != nil {
		return b.problem(err)
	}
	return b.problem(b.conn.call(ctx, "", "session.new", map[string]any{"capabilities": map[string]any{
		// Dialogs are the test's business: without this, they are dismissed.
		"alwaysMatch": map[string]any{"unhandledPromptBehavior": map[string]any{"default": "ignore"}},
	}}, nil))
}

// Log is what it prints.
func (b *Firefox) Log() *Log { return b.log }

// Close ends it.
func (b *Firefox) Close() error {
	if b.conn != nil {
		b.conn.close()
	}
	return b.stop()
}

// Open opens a page in a tab of its own.
func (b *Firefox) Open(ctx context.Context, url string) (Page, error) {
	p := &firefoxPage{conn: b.conn}
	var made struct{ Context string }
	if err := b.conn.call(ctx, "", "browsingContext.create", map[string]any{"type": "tab"}, &made); err != nil {
		return nil, b.problem(err)
	}
	p.context = made.Context
	return p, b.problem(b.conn.call(ctx, "", "browsingContext.navigate", map[string]any{
		"context": p.context, "url": url, "wait": "complete",
	}, nil))
}

// Chrome gives the browser's own window as a page: scripts in it may do what the
// browser may.
func (b *Firefox) Chrome(ctx context.Context) (Page, error) {
	var tree struct{ Contexts []struct{ Context string } }
	if err := b.conn.call(ctx, "", "browsingContext.getTree", map[string]any{"moz:scope": "chrome"}, &tree); err != nil {
		return nil, b.problem(err)
	}
	if len(tree.Contexts) == 0 {
		return nil, errors.New("firefox has no window")
	}
	return &firefoxPage{conn: b.conn, context: tree.Contexts[0].Context}, nil
}

// firefoxPage is a browsing context of WebDriver BiDi.
type firefoxPage struct {
	conn    *conn
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

// Close closes the tab.
func (p *firefoxPage) Close(ctx context.Context) error {
	return p.conn.call(ctx, "", "browsingContext.close", map[string]any{"context": p.context}, nil)
}
