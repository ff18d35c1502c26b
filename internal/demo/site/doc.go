// Package site is a relying party on loopback, with one account: what a passkey is
// shown to.
//
//	POST /register/begin, /register/finish    options out, credential in
//	POST /signin/begin,   /signin/finish      (?discoverable=1: nobody is named)
//	GET  /                                    a page for a browser
//
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
