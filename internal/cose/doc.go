// Package cose encodes and decodes elliptic-curve public keys in COSE_Key form
// (RFC 9052 §7, RFC 9053 §7.1.1), as CTAP and WebAuthn use them.
//
//	ecdsa.PublicKey ─┐                       ┌─► ecdsa.PublicKey
//	                 ├─► Key ◄──► CBOR map ──┤
//	ecdh.PublicKey  ─┘                       └─► SubjectPublicKeyInfo
//
// Invariants:
//   - A Key that was decoded or made by FromECDSA or FromECDH is a point on its
//     curve, with coordinates of the curve's full length.
//   - The map has exactly kty, alg, crv, x and y, the only form that CTAP 2.3
//     §6.5.6 and WebAuthn L3 §6.5.1.1 allow: no other parameter, no compressed
//     point, no private key.
//
// It refuses to know RSA, Edwards curves and private keys: the hardware has none
// of the first two here and does not give the third away.
package cose
