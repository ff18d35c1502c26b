package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// chromiumProgram is Debian's, without the script around it, which reads the user's
// flags.
const chromiumProgram = "/usr/lib/chromium/chromium"

// chromiumArgs are for a browser that nobody looks at, in a machine without a network,
// as root. The log has every CTAP message, and "UI step" for every dialog.
func chromiumArgs(c Config) []string {
	args := []string{
		"--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-breakpad",
		"--disable-default-apps", "--password-store=basic", "--window-position=0,0", "--window-size=1000,800",
		"--disable-features=" + strings.Join(chromiumIdleFeatures(), ","), "--force-prefers-reduced-motion",
		"--enable-logging=stderr", "--vmodule=*fido*=2,*webauthn*=2,device_event_log*=2",
		"--remote-debugging-port=0", "--user-data-dir=" + c.Dir,
	}
	if c.Display == nil {
		args = append(args, "--headless=new")
	}
	if len(c.Extensions) > 0 {
		all := strings.Join(c.Extensions, ",")
		args = append(args, "--disable-extensions-except="+all, "--load-extension="+all)
	}
	return append(append(args, c.Args...), "about:blank")
}

// chromiumIdleFeatures keep an emulated processor busy with windows that nobody opens.
func chromiumIdleFeatures() []string {
	return []string{
		"PreloadTopChromeWebUI", "WebUIOmniboxPopup", "WebUIOmniboxAimPopup",
		"SpareRendererForSitePerProcess", "MediaRouter", "OptimizationHints", "OptimizationGuideModelDownloading", "Translate",
	}
}

// Chromium is a running Chromium.
type Chromium struct {
	*process
	conn *conn
}

// StartChromium starts one; ctx bounds how long that may take.
func StartChromium(ctx context.Context, c Config) (_ *Chromium, err error) {
	b := &Chromium{}
	if b.process, err = start(ctx, c.Dir, c.env(), chromiumProgram, chromiumArgs(c)...); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	var port, path string
	err = b.await(ctx, "waiting for the DevTools port", func() bool {
		content, err := os.ReadFile(filepath.Join(c.Dir, "DevToolsActivePort"))
		port, path, _ = strings.Cut(string(content), "\n")
		return err == nil && path != ""
	})
	if err != nil {
		return nil, err
	}
	if b.conn, err = dial(ctx, "ws://127.0.0.1:"+port+path); err != nil {
		return nil, b.problem(err)
	}
	return b, nil
}

// Log is what it prints.
func (b *Chromium) Log() *Log { return b.log }

// Close ends it.
func (b *Chromium) Close() error {
	if b.conn != nil {
		b.conn.close()
	}
	return b.stop()
}

// Open opens a page in a tab of its own.
func (b *Chromium) Open(ctx context.Context, url string) (Page, error) {
	p := &chromiumPage{conn: b.conn}
	var target struct{ TargetID string }
	// Not the page itself: who attaches later may find it half loaded.
	if err := b.conn.call(ctx, "", "Target.createTarget", map[string]any{"url": "about:blank"}, &target); err != nil {
		return nil, b.problem(err)
	}
	p.target = target.TargetID
	var session struct{ SessionID string }
	err := b.conn.call(ctx, "", "Target.attachToTarget", map[string]any{"targetId": p.target, "flatten": true}, &session)
	if err != nil {
		return nil, b.problem(err)
	}
	p.session = session.SessionID
	if err := p.navigate(ctx, url); err != nil {
		return nil, b.problem(err)
	}
	err = p.Evaluate(ctx, `new Promise(done => document.readyState === "complete" ? done() : addEventListener("load", () => done()))`, nil)
	return p, b.problem(err)
}

// navigate goes to a page. A busy machine may still be loading the blank one, which then
// cuts the way to the next one short.
func (p *chromiumPage) navigate(ctx context.Context, url string) error {
	for {
		var navigated struct{ ErrorText string }
		err := p.conn.call(ctx, p.session, "Page.navigate", map[string]any{"url": url}, &navigated)
		switch {
		case err != nil:
			return err
		case navigated.ErrorText == "":
			return nil
		case navigated.ErrorText != "net::ERR_ABORTED":
			return fmt.Errorf("%s: %s", url, navigated.ErrorText)
		}
		select {
		case <-time.After(glance):
		case <-ctx.Done():
			return fmt.Errorf("%s: %s: %w", url, navigated.ErrorText, ctx.Err())
		}
	}
}

// chromiumPage is a target of the DevTools protocol.
type chromiumPage struct {
	conn            *conn
	target, session string
}

// Evaluate works out an expression in the page.
func (p *chromiumPage) Evaluate(ctx context.Context, expression string, into any) error {
	var got struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	err := p.conn.call(ctx, p.session, "Runtime.evaluate", map[string]any{
		"expression": said(expression), "awaitPromise": true, "returnByValue": true, "userGesture": true,
	}, &got)
	switch {
	case err != nil:
		return err
	case got.ExceptionDetails != nil:
		return fmt.Errorf("%s %s", got.ExceptionDetails.Text, got.ExceptionDetails.Exception.Description)
	}
	return hear(got.Result.Value, into)
}

// Look shows the page so from now on.
func (p *chromiumPage) Look(ctx context.Context, l Look) error {
	scheme := "light"
	if l.Dark {
		scheme = "dark"
	}
	err := p.conn.call(ctx, p.session, "Emulation.setEmulatedMedia", map[string]any{
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}},
	}, nil)
	return errors.Join(err, p.conn.call(ctx, p.session, "Emulation.setDeviceMetricsOverride", map[string]any{
		"width": l.Width, "height": l.Height, "deviceScaleFactor": 1, "mobile": false,
	}, nil))
}

// Screenshot gives a PNG of the page.
func (p *chromiumPage) Screenshot(ctx context.Context) ([]byte, error) {
	var got struct{ Data []byte }
	err := p.conn.call(ctx, p.session, "Page.captureScreenshot", map[string]any{"format": "png"}, &got)
	return got.Data, err
}

// PlugIn gives the page a security key that says yes to everything.
func (p *chromiumPage) PlugIn(ctx context.Context) error {
	if err := p.conn.call(ctx, p.session, "WebAuthn.enable", map[string]any{}, nil); err != nil {
		return err
	}
	return p.conn.call(ctx, p.session, "WebAuthn.addVirtualAuthenticator", map[string]any{"options": map[string]any{
		"protocol": "ctap2", "transport": "usb", "hasResidentKey": true, "hasUserVerification": true,
		"isUserVerified": true, "automaticPresenceSimulation": true,
	}}, nil)
}

// Front brings the tab to the front.
func (p *chromiumPage) Front(ctx context.Context) error {
	return p.conn.call(ctx, p.session, "Page.bringToFront", map[string]any{}, nil)
}

// Close closes the tab.
func (p *chromiumPage) Close(ctx context.Context) error {
	return p.conn.call(ctx, "", "Target.closeTarget", map[string]any{"targetId": p.target}, nil)
}
