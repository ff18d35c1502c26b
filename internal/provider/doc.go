// Package provider decides what the macOS credential provider answers: which
// passkey, which flags, which error. Everything it touches is behind a port.
//
//	the system ──► Provider ──► Keys        the Secure Enclave's, by credential id
//	   ▲              │     ├─► Entries     what is known of each, in the keychain
//	   │              │     ├─► Identities  what the system offers people
//	   │              │     └─► Screen      the finger, a choice, a message
//	   └── Request ◄──┘  exactly one answer
//
// Invariants:
//   - A key exists before its entry, and an entry before the system offers it; what a
//     crash leaves in between is repaired by Refresh: a key without an entry is
//     rubbish, and the system's list is replaced as a whole.
//   - A passkey that another replaces is gone only after the answer was taken, or
//     once the new one has signed in: a crash never leaves a person with neither.
//   - The counter is on disk before the signature is asked for.
//   - Flags are 0x5d and 0x1d for life: macOS refuses an answer without BE and BS.
//     They say that macOS reports the passkey as synced. It is not.
//   - A site's word hides a passkey and never deletes it.
//
// This package refuses to know Objective-C, the keychain and how a view looks.
package provider
