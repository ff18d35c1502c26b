// Package browser drives real browsers, with what they bring along: no driver
// program stands between.
//
//	test ──► Chromium ── DevTools protocol ──► Page: scripts, pictures
//	  │  ──► Firefox ─── WebDriver BiDi ─────► Page, and the browser's own windows
//	  └────► Display ─── Xvfb, xdotool ──────► keys typed, pictures of all that is shown
//
// A browser gets a directory that is its home and its profile, and starts as on the
// first day. What it prints is kept: Chromium's log decodes every CTAP message and
// names the dialog it shows, so tests wait for lines of it.
//
// Its own suite (tag e2e) has them register and sign in with the authenticator at the
// site of internal/demo, in a guest of test/vm. LOCALPASSKEY_SCREENSHOTS=DIR, an absolute
// path, has it leave pictures of the browsers' dialogs there.
//
// Invariants:
//   - Whatever waits ends with its context, and what a browser was doing then stands
//     in its log.
//   - A browser that was closed has left no process.
//   - Nothing is downloaded: browsers and Xvfb are the system's.
//
// This package refuses to know what the pages are for.
package browser
