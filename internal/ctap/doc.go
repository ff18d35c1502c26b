// Package ctap speaks CTAP 2.3: request and response types, status codes, and
// the one interface, Authenticator, from which everything else grows.
//
//	bytes ──► Serve ──► Authenticator        (a door in front of the core)
//	calls ──► Client ──► Exchanger ──► bytes (a platform in front of a door)
//
// The shape is that of golang.org/x/crypto/ssh/agent: Serve turns bytes into
// calls and Client turns calls into bytes, so a test can run the same contract
// in process, over the socket and over CTAPHID.
//
// Invariants:
//   - Any bytes give a response: Serve never panics and never fails.
//   - The only way from an error to the wire is StatusOf; causes stay local.
//   - One Authenticator value is one channel. State that CTAP ties to a channel
//     and to the command before it lives in that value.
//
// Edition: CTAP 2.3, Proposed Standard, 2026-02-26. Section numbers in this
// module refer to it.
//
// This package refuses to know keys, stores, prompts, packets and sockets.
package ctap
