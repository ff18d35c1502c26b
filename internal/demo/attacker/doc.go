// Package attacker does to a TPM what somebody does who may open it, as root may,
// and who lacks the PIN.
//
//	daemon ──► Wiretap ──► TPM ◄── Attacker
//	             └─ the wrapped key ──┘
//
// Invariants:
//   - Refused counts a refusal only if it is the one that was promised. An attack
//     that fails for another reason has shown nothing.
//   - Every attempt has a connection of its own and leaves nothing loaded.
//
// This package refuses to know our own code that talks to TPMs: it could share its
// mistakes.
package attacker
