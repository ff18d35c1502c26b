// Package secret holds bytes that must not be printed, compared with == or
// forgotten in memory: PINs' hashes, tokens, derived keys.
//
//	Of(b) ──► Bytes ──copy──► Bytes     both look at the same memory:
//	            │                       wiping one wipes both
//	            └─ Reveal() ──► b       the one way back to plain bytes
//
// Invariants:
//   - No formatter, encoder or logger of the standard library shows the content:
//     fmt prints [secret], the encoders fail.
//   - Comparison takes constant time; == does not compile.
//   - Wipe zeroes the memory that was handed in and leaves every copy empty.
//
// What it cannot do: copies that the caller, the runtime or the kernel made are
// out of its reach. It refuses to know what the secrets are for.
package secret
