// Package held keeps f(PIN), what the TPM is shown of a PIN, while a finger may stand for it.
//
//	the TPM has taken a PIN ──► Keep ──► locked memory ──► Show, for a finger ──► TPM
//	                                          │
//	lock, sleep, logout, wrong PIN, ──────► Drop
//	new PIN, reset, time, five strange fingers
//
// A TPM cannot see fingers: whoever is to sign by one has to show it the PIN's
// authorization all the same. So it is held here, where the person wants that, and
// nowhere else.
//
// Invariants:
//   - Nothing is held while the lifetime is 0, which is so until the person changes it, or
//     while the user is away.
//   - What is held is in one page that is never swapped out or dumped, and is zeroed when
//     it is dropped. Neither the PIN nor its hash is kept: f(PIN) is good for one
//     generation of this TPM.
//   - It is held no longer than its lifetime from when the PIN was typed; fingers do not
//     prolong that.
//
// This package refuses to know fingers, readers, screens and what the TPM does with it.
package held
