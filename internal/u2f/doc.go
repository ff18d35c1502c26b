// Package u2f speaks U2F (FIDO U2F Raw Message Formats 1.2; CTAP 2.3 §7), for programs
// that know a security key by its touch alone.
//
//	bytes ──► parse ──► register, authenticate, version ──► bytes, status word
//
// Invariants: only while alwaysUv is off; only presence-only credentials are made and
// used; nothing is signed without a yes, but for what asks to be (§7.2, P1 0x08).
// A certificate is made for one registration, by its own key, and says nothing else.
//
// This package refuses to know hardware and doors.
package u2f
