// Package inventory is the commands that list which accounts have a passkey on which
// device, and tell what is lost with one of them.
//
//	this device ──► List ──Encode──► file
//	file, file  ──Decode──► List, List ──Compare──► on one only, on both
//
// Invariants: a list holds no secret, no credential id and no user handle, and nothing
// can be signed with it; what decodes came from Encode, or could have.
package inventory
