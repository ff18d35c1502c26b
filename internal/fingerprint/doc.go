// Package fingerprint has a finger stand for the PIN: it waits for fprintd's word beside
// the prompt.
//
//	Ask ──► User.Approve ──┬─► prompt: "touch the reader, or type the PIN" ──► PIN ──┐
//	                       │                                                         ├─► the first counts
//	                       └─► Reader ── system bus ──► fprintd ──► match ───────────┘
//
// Which of the two comes first decides; the other is closed. A reader that is not there, is
// in use, or knows no finger of the user's leaves the prompt as it always is.
//
// Invariants:
//   - Only fprintd's word counts: the connection that the bus says owns its name, about a
//     device that it has given us alone, after we have asked. Whatever else comes on the
//     bus, and all that an agent says, is not looked at.
//   - The reader waits only where a PIN is held, and only while a prompt for the same
//     request is open.
//   - A request has MaxStrangers fingers; then the PIN alone counts for it, as after a
//     wrong PIN.
//   - Whoever the finger is of is the user's name as logind has it for his uid.
//   - A device is given back however a request ends: with its connection to the bus.
//
// This package refuses to know PINs, what is held of them, and fingers.
package fingerprint
