// Package inventory lists which accounts have a passkey on which device, and tells what
// is lost with one of them.
//
//	this device ──► List ──JSON──► file
//	file, file  ──Decode──► List, List ──Compare──► on one only, on both
//
// Invariants: a list holds no secret, no credential id and no user handle, and nothing
// can be signed with it; what decodes was written by Of, or could have been.
//
// This package refuses to know files, and who shows what.
package inventory
