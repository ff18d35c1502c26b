// Package proof checks, without a TPM, that a passkey's key is in a genuine one.
//
//	prover                               verifier
//	Claim ──── certificates, keys ─────► NewChallenge ──► Note (kept: secret, nonce, claim)
//	        ◄──── nonce, blob, seed ──── Challenge
//	Answer ─── secret, statements ─────► Verify(Note, Answer) ──► Result
//
// Two rounds, because an endorsement key only decrypts. A single message, signed by an
// "attestation key", could have been signed by software. What is checked, in this order:
//
//	certificate   leads to a CA that the verifier trusts, and is an endorsement key's
//	attestation   restricted, fixedTPM; its TPM has the endorsement key: it gave back
//	              a secret that was encrypted to that key for this Name
//	statements    signed by the attestation key, about this key, with this nonce
//	key           fixedTPM, fixedParent, sensitiveDataOrigin; its policy is the one that
//	              is computed here from the RP ID and the PIN index: no PIN, no signature
//	limit         8, if the TPM has said so
//
// Invariants:
//   - Nothing that the prover says is believed: the endorsement key's public area is
//     made of the certificate, every policy and Name is computed here.
//   - Documents are decoded strictly: what decodes is, but for spaces, what we would
//     have written.
//   - Key points and signatures are the only free bytes in public areas and statements.
//
// What no proof shows: that K, the key that approved what the PIN index allows, was
// destroyed when the index was made (see package pinindex); that the TPM is the one of
// the machine that somebody sits at; whether a PIN is a good one.
//
// This package refuses to know TPM commands, files, terminals and which CAs are to be trusted.
package proof
