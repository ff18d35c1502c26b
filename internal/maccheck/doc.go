// Package maccheck finds out on a Mac what cannot be found out elsewhere: the first
// page of docs/macos-checklist.md, as `localpasskey doctor`.
//
//	Run ──► M1–M6   symbols, classes, selectors, blocks, a class of our own, the Secure Enclave
//	    └─► M7–M11  with a finger
//
// Invariants: it needs no signature, keeps nothing, and touches no store and no
// passkey.
//
// This package refuses to know what a finding means for a release: a person decides.
package maccheck
