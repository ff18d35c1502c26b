// Package cli provides the commands of localpasskey: a CTAP client of the daemon's
// socket with words for people around it.
//
//	localpasskey list ──► session ──► socket ──► daemon
//	             │           └─ status first: what is wrong is said before anything is tried
//	             └─► a table, or --json
//
// The rules of its texts:
//   - An error says what happened, then "hint:" and what to do; both on stderr.
//   - Results go to stdout, so that they can be piped; questions to the terminal.
//   - What cannot be undone names what is lost and is confirmed by typing.
//   - Names that sites chose are made harmless before they are shown (prompt.Legible).
//
// Invariants:
//   - A PIN comes from the terminal without echo, or from stdin with --pin-stdin:
//     never from an argument or the environment, where others can read it.
//   - Exit codes are stable; see the code constants.
//
// This package refuses to know the TPM, the store's file and the environment.
package cli
