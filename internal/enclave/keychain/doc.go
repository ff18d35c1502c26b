// Package keychain keeps keys of the Secure Enclave, and what is known of each, in
// the data-protection keychain: what the signed app and its extension share, and no
// other program can even ask for.
//
//	Keychain ──► settings.go: with what keys and entries are made; read this file first
//	    ├─ Keys     by credential id, each demanding a finger
//	    └─ Entries  a value for each credential id, behind a lock between processes
//
// Invariants:
//   - Every query names the access group and the data-protection keychain: without
//     them macOS would look into, or write to, the login keychain.
//   - A key signs only if it has the public key that was noted when it was made.
//   - The sheet says for what the finger is, with a context for that one use.
//
// This package refuses to know what is in an entry, and who asks.
package keychain
