// Package page answers the manager's page from the signed app's provider, and shows it in a browser.
//
//	the app's window ◄── autofill/window ──► manager.Enclosed ──┐
//	a browser ◄────────── loopback ────────► manager.Server ────┴─► Backend ──► provider
//	                                                                   └─► a finger, before a change
//
// Invariants: what is shown was made harmless; renaming and deleting take a finger, and
// deleting what the page has the person type.
//
// It stands apart from autofill so that the extension links no server. This package
// refuses to know keys, the keychain and who opens a browser.
package page
