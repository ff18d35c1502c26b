// Package daemon runs one person's authenticator: it joins the machine (TPM, store,
// person) to the decision and offers the whole as channels for the doors.
//
//	socket ──► Channel ──► status, setup, reconnect ──┐
//	              │                                   ├──► opened: TPM + store + person
//	              └──► every other command ──► authenticator
//
// States: not set up (no store, or one without keys); broken (a store that cannot be
// opened now: TPM gone, another machine's store, damage); open. Every call tries
// anew to get to open, so a TPM that comes back is found. What commands answer:
//
//	                status              setup        other vendor    CTAP
//	not set up      SetUp false         sets up      Problem         NOT_ALLOWED
//	broken          Problem inside      Problem      Problem         OTHER
//	open            all of it           Problem      answered        answered
//
// Invariants:
//   - Callers are the user whose passkeys these are, and root. Everybody else is answered
//     NOT_ALLOWED.
//   - A set-up that fails leaves no store behind; one that was cut short is finished
//     or undone at the next.
//   - A reset ends the keys in hardware before it empties the store.
//
// This package refuses to know flags, terminals, the environment and HID reports.
package daemon
