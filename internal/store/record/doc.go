// Package record gives what the store seals its form: credentials, what each use of one
// changes, and the account of them all.
//
//	credential ──► CBOR, canonical, without counters
//	Counters, State ──► fixed length, big-endian
//
// What decodes encodes to the same bytes again. This package refuses to know keys,
// buckets and files.
package record
