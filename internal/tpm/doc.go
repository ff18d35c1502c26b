// Package tpm keeps keys and the PIN in this machine's TPM 2.0.
//
//	SRK 0x81000001, its Name pinned in the ledger
//	 ├ PIN index      counts wrong PINs itself, 8 in all; auth = f(PIN)
//	 │   authPolicy   PolicyAuthorize(K); K lived for a moment and approved four policies:
//	 │                 CC(NV_Write)                         used once, then thrown away
//	 │                 PolicySecret(self) CC(NV_ChangeAuth) the PIN changes the PIN
//	 │                 CC(NV_Read)                          anyone reads the counter
//	 │                 CC(PolicyNV)                         anyone proves that the index lives
//	 ├ PIN-bound keys      PolicySecret(PIN index, SHA-256(RP ID))
//	 ├ presence-only keys  PolicyNV(PIN index: limit = 8)
//	 └ sealed key          for the store's metadata, no PIN
//
// A generation is one PIN index and everything whose policy names it. Reset makes a
// new one and undefines the old, and with it dies every key that was bound to it.
//
//	Prepare  StartAuthSession, PolicyTicket, Load   while the person is asked
//	Sign     Sign (ends the session)                after the gesture
//
// Why the index is written under a policy that nobody can satisfy again: its Name,
// which the keys' policies contain, is only reached by writing it. Whoever holds the
// owner's authorization, empty on most machines, can undefine it and define it anew
// with a PIN of his own, but cannot write it, so that it never has that Name again.
//
// Why the TPM's own lockout is not used: without a lockout password, which hardly
// any machine has, anyone resets it; and our wrong PINs would lock others out.
// So everything is noDA, and the index counts.
//
// Invariants:
//   - No grant, no signature, and it is the TPM that refuses, not an if.
//   - The PIN and its hash cross the bus in no form: sessions that use or set it are
//     salted to the pinned SRK.
//   - One operation is one connection, closed on every path: whatever was loaded
//     goes with it.
//   - An index is in the ledger before it is in the TPM, together with what tells
//     it from a stranger's; a generation that was never finished, or is over, is
//     undefined at the next start.
//   - The ledger holds nothing to test a PIN against and names no site.
//
// What stays true all the same: destroying K cannot be proven, and root that was
// present during set-up could have kept it.
//
// This package refuses to know RP IDs, accounts, the store, the wire of CTAP and
// the person.
package tpm
