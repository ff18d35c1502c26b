// Package webauthn encodes and decodes the structures of WebAuthn Level 3 that
// pass between authenticator, client and relying party.
//
//	AttestationObject
//	├─ Format, Statement            PackedStatement, or anybody else's
//	└─ AuthData ◄──► AuthenticatorData
//	                 rpIdHash │ flags │ signCount │ Attested ──► │ Extensions
//	                    32    │   1   │     4     │ AAGUID, ID,  │ CBOR map
//	                                                │ COSE key     │
//	ClientData ──► JSON ──SHA-256──► clientDataHash
//
// Invariants:
//   - What is parsed encodes to the same bytes: authenticator data and attestation
//     objects have one form each, and nothing may follow them.
//   - Backup state without backup eligibility is refused both ways, and so are
//     reserved flags: no authenticator of this edition sets them.
//   - An attested key is one that signs, is on its curve, and has a known
//     algorithm.
//   - Client data has the serialization of §5.8.1.1, byte for byte, so that a
//     relying party may verify it without a JSON parser.
//
// It refuses to know challenges that are outstanding, origins that are allowed and
// roots that are trusted: whoever calls decides.
package webauthn
