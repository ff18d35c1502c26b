// Package wire speaks the part of TPM 2.0 that go-tpm's tpm2 has no word for:
// sessions that end with the command they authorize, two commands, and a
// transport that knows which answers mean "again, later".
//
//	tpm2.Sign{…}.Execute ─┐                        ┌─ 0x922, 0x908, 0x90A: the same
//	NVChangeAuth ─────────┼─► Session ─► Patient ──┤  bytes again, a little later
//	PolicyTicket ─────────┘   (one use)            └─► the device
//
// go-tpm's own policy sessions start inside Execute and stay open afterwards. Ours
// start when they are told to, which is while a person is being asked, and end
// with their command, which saves a FlushContext after it.
//
// Invariants:
//   - Where a session has a key, the response's HMAC is checked before anything in
//     the response is believed.
//   - Resent commands are the same bytes: a TPM that had begun must not see a
//     second nonce.
//   - Nothing here flushes. A session that failed ends with its connection.
//
// Sections are those of TPM 2.0 Library, Part 1 and Part 3, revision 1.59.
//
// This package refuses to know PINs, passkeys, ledgers and devices.
package wire
