// Package store keeps credentials, counters and settings in one file of this
// machine's disk, on bbolt.
//
//	metadata key ──HKDF(generation)──┬─► names   HMAC: credential ids, RP ID hashes
//	(from the hardware)              ├─► values  AES-256-GCM, AAD = version ‖ bucket ‖ key
//	                                 └─► tally   HMAC: the sum of all entries
//
//	localpasskey   schema, ledger, generation, check, state, settings
//	credentials    sequence               → sealed record (what never or seldom changes)
//	counters       sequence               → sealed sign count, uses, last use
//	ids            HMAC(credential id)    → sequence ‖ HMAC(RP ID hash)
//	services       HMAC(RP ID hash) ‖ sequence → nothing
//	audit          sequence               → sealed entry of the audit trail (package trail)
//
// A sequence number is given once and never again, so that "newest first" holds
// whatever the clock did; a credential that is put again keeps its own.
//
// Invariants:
//   - A method that returns nil has been followed by fdatasync (bbolt's default,
//     never switched off). Only notes of use and of the audit trail wait, at most a second,
//     and they travel along with any write before that.
//   - One method is one transaction: all of it is there after a crash, or none.
//   - Nothing in the file names a site, an account or a key to who lacks the
//     metadata key: names are HMACs, values are sealed, ledger and generation
//     are the hardware's and hold no names.
//   - A sealed value opens in its own place only, so records cannot be swapped.
//     The tally, sealed too, notices entries that were lost or put back one by one.
//     An old copy of the whole file is not noticed; the hardware's generation
//     notices one from before a reset.
//   - Damage is an error, never a crash or a loop: package pages looks the file
//     over before bbolt does, and panics and faults after that become errors.
//     A head that is damaged is refused too, for the other one is the state before
//     the last transaction, and a sign count would fall.
//   - A file that is refused is left as it was, byte for byte.
//
// This package refuses to know where its key comes from, what a ledger says, who
// asks, and why.
package store
