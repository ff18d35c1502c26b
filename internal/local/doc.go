// Package local runs the authenticator in the program itself, with keys in the Secure
// Enclave: on a Mac nobody starts a daemon.
//
//	socket, or a call ──► Local ──► authenticator ──► enclave: keys
//	                        │             └─► touchid: the person
//	                        └─► store ◄── its key, from the Secure Enclave
//
// Invariants:
//   - The store is open while requests are under way and for a moment after, by one program
//     at a time: others wait for their turn. Tokens end with it.
//   - Its key is never on a disk: a key of the Secure Enclave, which wants no finger,
//     makes it anew each time. Another Mac cannot.
//   - A reset makes another such key first; what is in the store is of no use then.
//
// This package refuses to know macOS: Security and the person are handed in.
package local
