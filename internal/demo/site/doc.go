// Package site is a relying party on loopback: what a passkey is shown to.
//
//	POST /register/begin, /register/finish    options out, credential in
//	POST /signin/begin,   /signin/finish
//	GET  /                                    a page for a browser
//
// What a ceremony is begun with is in the query:
//
//	account=NAME        whose passkey; "alice" without, made when it first registers
//	discoverable=1      to sign in whoever has a passkey: nobody is named
//	verification=KIND   required (without), preferred or discouraged
//	attestation=KIND    direct (without) or none
//
// An account is nobody's: there is no password, and whoever asks may add a passkey.
// Verification is go-webauthn's, from the first byte to the signature: a server of
// our own would agree with our own mistakes.
//
// Invariants:
//   - A Receipt tells what was signed, never what was merely sent.
//   - A challenge is good for one answer.
//   - It answers this machine only, under its own name only, and a browser runs no
//     script on its page but the page's own.
//
// This package refuses to know authenticators, TPMs and PINs.
package site
