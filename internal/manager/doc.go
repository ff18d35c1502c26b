// Package manager shows the passkeys in the person's own browser, and lets them be
// renamed and deleted.
//
//	browser ── loopback HTTP ──► Server ──► API ──► ctap.Authenticator: the daemon's socket
//	(page/)    Host, Origin, cookie,          typed calls, JSON in and out; another
//	           key, owner of the connection   transport brings the same
//	a web view of ours ── no port ──► Enclosed ──► Backend: the same page and calls, without a session
//
// Invariants:
//   - The port is this machine's alone, and so is whoever connects: connections of other
//     users are closed unread, where the system can tell.
//   - The page is reached by a link that works once. What it is exchanged for is a cookie
//     and a key, and a request needs both: browsers send cookies to every port of a host,
//     and a page of another port cannot read the key.
//   - Every request names this origin as its host, and every call as its origin; nothing
//     is shared with other origins. No script runs but the page's own files.
//   - The PIN comes once for each act, is given to the daemon by the PIN protocol, and
//     wiped. It is in no log, error or answer.
//   - What sites chose goes to the page only after prompt.Legible, and the page shows it
//     as text.
//   - It ends when the page is gone, or nothing was asked for ten minutes.
//
// This package refuses to know the store, keys and the hardware.
package manager
