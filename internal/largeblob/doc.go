// Package largeblob keeps the array of large blobs: authenticatorLargeBlobs (CTAP 2.3
// §6.10).
//
//	get ──────────────────────────────► Values
//	set ──► token (consent.Gate) ──► fragments of one channel ──► checksum ──► Values
//
// The array belongs to all relying parties at once. Its elements are encrypted by
// platforms, each under its credential's largeBlobKey; nobody here can read them.
//
// Invariants: what is stored ends with its own checksum; it is replaced as a whole,
// in one step, or not at all; an array that is being written belongs to its channel.
//
// This package refuses to know credentials, keys and doors.
package largeblob
