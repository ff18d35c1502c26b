// Package tpm keeps keys and the PIN in this machine's TPM 2.0.
//
//	Machine ──► attest    what the TPM tells others of a key
//	   ├──────► storage   keys wrapped by the SRK, 0x81000001, pinned by its Name
//	   │  └───► pinindex  the PIN index: counts to 8, written once and never again
//	   │           │       ├ PIN-bound keys      need proof of the PIN for their RP
//	   │           │       └ presence-only keys  need the index to live
//	   │           └──► wire, policy, problem
//	   └──► Ledger        what is in the TPM, on disk before it is there
//
// A generation is one PIN index and everything whose policy names it. Reset makes a
// new one and undefines the old, and with it dies every key that was bound to it.
//
//	Prepare         StartAuthSession, PolicyTicket, Load           while the person
//	CreatePrepared  StartAuthSession, PolicyTicket, CreateLoaded   is asked
//	Sign            Sign (ends the session)                        after the gesture
//
// Why the TPM's own lockout is not used: without a lockout password, which hardly
// any machine has, anyone resets it; and our wrong PINs would lock others out.
// So everything is noDA, and the index counts. Why the index counts for nobody
// else: see package pinindex.
//
// Invariants:
//   - No grant, no signature, and it is the TPM that refuses, not an if.
//   - f(PIN) is kept after its use only by package held, while a finger may stand for it.
//   - The PIN and its hash cross the bus in no form, hmac-secret's output and the
//     metadata key encrypted: their sessions are salted to the pinned SRK.
//   - One operation is one connection, closed on every path: whatever was loaded
//     goes with it.
//   - An index is in the ledger before it is in the TPM; a generation that was
//     never finished, or is over, is undefined when the TPM is next used for a key
//     or a PIN, or at the next start.
//   - The ledger holds nothing to test a PIN against and names no site.
//
// This package refuses to know RP IDs, accounts, the store, the wire of CTAP and
// the person.
package tpm
