// Package window shows the manager's page in a window of the app's own.
//
//	WKWebView ── a task ──► Scheme ──► http.Handler: the page and its API
//	    ▲  └── where to? ──► Decide                  (no port, nobody else can ask)
//	    └──── answer, in turn, on the main thread
//	the menu: Menu, as data ──► actions of macOS, or a Command
//
// Invariants:
//   - A task is told its response once, then data, then its end once; and nothing more once
//     WebKit has stopped it. Anything else raises an exception, which ends the app.
//   - The web view shows pages of Origin and no others. Links go to the person's browser.
//   - What the handler is asked comes from the page alone: no socket listens.
//
// What only macOS can run decides nothing: it is in files for it, and thin. This package refuses to
// know passkeys, and what the page shows.
package window
