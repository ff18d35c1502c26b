// Package extension has real browsers use the extension of this repository, with the
// tag e2e.
//
//	page ──► extension/ in Chromium or Firefox ──► scriptedhost
//
// A site of the test's own says what pages do; the scripted host shows what the
// extension tells its host.
//
// This package refuses to know how the extension is made: it is a directory of files.
package extension
