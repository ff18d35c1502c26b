// Package enclave makes and uses keys in the Secure Enclave. It implements
// authenticator.Keys, and authenticator.PIN with a finger in place of a PIN.
//
//	key.go ── what every key is made with: read this file first
//	Keys ──► Security: five calls of Apple's Security framework
//	  │          ├─ on a Mac: security_darwin.go, which only translates
//	  │          └─ in tests: securitytest, with the framework's known traps
//	  └─► Handle: kind, binding, relying party, public key, the key sealed to this chip
//
// Invariants:
//   - A key leaves the chip only sealed to it, and is in no keychain.
//   - Every use compares the public key first: without the right attributes Security
//     makes a new key without protection and says nothing.
//   - A PINBound key is opened with the person's gesture or not at all: the system
//     never asks on its own, with nobody saying for what.
//   - That a key is for one relying party is checked here, not in the chip, which has
//     no policy for it. The finger is checked in the chip.
//
// This package refuses to know who asks the person, sites' names, and where handles go.
package enclave
