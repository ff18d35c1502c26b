// Package client does a WebAuthn client's part of a ceremony for a web page: what a
// browser does between navigator.credentials and an authenticator (WebAuthn L3 §5.1).
//
//	page's origin, options ──► checks ──► client data ──► CTAP ──► credential in JSON
//	                              └──► ErrBrowser: the browser's own function has its turn
//
// Invariants:
//   - Origins are the browser's word, and every check of them is made again here.
//   - A page learns nothing from what is left to the browser: no question was asked then,
//     or the person has chosen another device.
//   - Whatever else ends a ceremony is a NotAllowedError that does not say why.
//   - Client data is what the relying party verifies: it is made here, of the origin that
//     was checked, and never comes from the page.
//
// This package refuses to know browsers, native messaging, keys and PINs.
package client
