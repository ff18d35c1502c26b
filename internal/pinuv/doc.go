// Package pinuv implements PIN/UV auth protocols one and two (CTAP 2.3 §6.5.6,
// §6.5.7), the authenticator's end and the platform's.
//
//	platform                                authenticator
//	                                        NewKeyAgreement, PublicKey
//	Encapsulate ◄────────── cose.Key ──────
//	            ─────────── cose.Key ─────► Decapsulate
//	  Shared  ══ Encrypt, Decrypt, Authenticate, Verify ══  Shared
//	  Token   ◄═══════════ encrypted ════════════════════   RandomToken
//
// Invariants:
//   - A peer's key that is not a point of P-256 agrees on nothing.
//   - A MAC has its protocol's length, 16 bytes or 32, and is compared in constant
//     time; nothing shorter or longer ever verifies.
//   - Decrypt takes whole blocks only. It does not authenticate: callers verify a
//     MAC over the ciphertext first where the specification has one.
//
// It refuses to know PINs, retry counters, permissions and lifetimes.
package pinuv
