// Package securitytest pretends to be Apple's Security framework and its keychain,
// with the traps that the real ones are known to have, and breaks where a test says.
//
//	Chip ──► CreateKey, OpenKey   keys of one Secure Enclave, sealed to it
//	  │  └─► Add, Find, Delete…   a data-protection keychain
//	  ├─► Touch: an LAContext that a person has answered
//	  └─► Fail: the n-th call of a kind fails
//
// The traps: a key of the token goes to the keychain unless it is told not to, which
// takes an entitlement; opening a sealed key without its blob among the attributes
// makes a new key without protection; a key that is opened without an answered
// context has the system ask on its own.
//
// This package refuses to know what keys are for. Tests only: its keys are in
// memory.
package securitytest
