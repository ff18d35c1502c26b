// Package management lists, renames and deletes credentials:
// authenticatorCredentialManagement (CTAP 2.3 §6.8) and the socket's listing.
//
//	Handle ──► token (consent.Gate) ──► allowance: all, or one relying party
//	                                        └──► Store
//
// Invariants: no key is touched and no hardware asked; a token bound to one
// relying party reaches no other's credentials; an enumeration belongs to the
// channel it was begun on.
//
// This package refuses to know keys, prompts and doors.
package management
