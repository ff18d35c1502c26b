// Package storage keeps keys outside of the TPM, wrapped by its storage root key.
//
//	SRK.CreateLoaded ─┬────────────────────────────────────────► one use
//	SRK.Create ───────┴► Blob ─Encode─► a disk ─Decode─► Blob ─Load─► one use
//	SRK.Seal ──────────┘                                   └─► Signing, MAC: is it what it should be?
//
// Invariants:
//   - A blob's public area is compared byte for byte with the one that is demanded,
//     kind, attributes and policy, before it is loaded; only what the TPM itself
//     filled in may differ. The TPM then refuses a private part that does not fit.
//   - What is sealed crosses the bus encrypted.
//   - Decoding allocates nothing but what it was given.
//
// This package refuses to know whose keys these are and what their policies mean.
package storage
