// Package seal encrypts and names what the store writes, under keys that all come
// from the metadata key.
//
//	metadata key ──HKDF(generation)──┬─► names   HMAC
//	                                 ├─► values  AES-256-GCM, AAD = version ‖ bucket ‖ key
//	                                 └─► tally   HMAC
//
// A sealed value opens in its own place only. This package refuses to know files,
// buckets and records.
package seal
