// Package attest has the TPM tell others where a key is.
//
//	Prover.Identity   NV_ReadPublic, NV_Read …                 the endorsement certificate
//	                  CreatePrimary                            the attestation key's public area
//	Prover.Answer     CreatePrimary, CreatePrimary             endorsement key, attestation key
//	                  StartAuthSession, PolicySecret, ActivateCredential, FlushContext
//	                  Load, Certify                            the key is in this TPM
//	                  NV_Certify                               and the PIN index has its limit
//
// An endorsement key only decrypts: its maker vouches for it, but it signs nothing. So
// the other side encrypts a secret to it and to the Name of an attestation key, and the
// TPM gives the secret away only if it has both. From then on what the attestation key
// signs is this TPM's word.
//
// Invariants:
//   - The attestation key is made anew from one template each time, which gives the
//     same key, and nothing is kept in the TPM: whatever was loaded goes with the
//     connection.
//   - It is restricted: it signs only what the TPM itself has put together.
//   - No key of ours is used for any of this but to be looked at, so no PIN is needed.
//
// Sections are those of TPM 2.0 Library, Part 3, revision 1.59, and of the TCG's EK
// Credential Profile for TPM 2.0, version 2.4.
//
// This package refuses to know who asks for a proof, and what becomes of it.
package attest
