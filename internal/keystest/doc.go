// Package keystest tells whether hardware keeps what authenticator.Keys and
// authenticator.PIN promise. Every implementation runs the same suite.
//
//	keystest.Run(t, fresh) ──► keys: create, prepare, both at once, sign, MAC, mismatches
//	                       ├─► PIN: first, wrong, right, change, lockout
//	                       └─► grants: one relying party, dropped, foreign
//
// Signatures are checked with Go's crypto/ecdsa, not with the hardware's word.
//
// This package refuses to know which hardware it is. Tests only.
package keystest
