// Package cbor encodes and decodes the CTAP2 canonical CBOR encoding form (CTAP
// 2.3 §8) and nothing else.
//
//	bytes ──► Valid ──────► fits ─────► upstream decoder ──► value
//	          form           Go type
//	          ErrMalformed   ErrType
//
//	value ──► upstream encoder ──► Valid ──► bytes
//
// The form: shortest integers and lengths, definite lengths, map keys unique and
// in order (major type, then length, then bytes), valid UTF-8, at most MaxDepth
// levels, nothing after the item. Ours, as no message of CTAP or WebAuthn has
// others: map keys are integers and strings, simple values false, true and null;
// no tags, no floats.
//
// Invariants:
//   - No input panics, and none makes the decoder allocate more than a small
//     multiple of its own length: lengths are compared with what is there first.
//   - One value has one encoding: what decodes into any encodes to the same bytes.
//   - Where Go would be lenient the decoder is not: a byte string fills an [N]byte
//     exactly or not at all, an array of integers is no []byte, null is no value
//     of any type but any and Raw, 0 is not false.
//   - Map keys that a struct has no field for are ignored, as CTAP 2.3 §8 wants;
//     but a key must be an int64 or text to be one that a field could have.
//
// It refuses to know what the items mean.
package cbor
