// Package authenticator decides: it carries out CTAP 2.3's commands on keys it
// cannot see, for a person it can only ask.
//
//	ctap.Authenticator ◄── Channel ──► Authenticator ──► Keys, PIN   hardware
//	                      (state of      (tokens,    ├─► Store       this disk
//	                       one channel)   settings)  └─► User        the person
//
// One file per command, each written along the specification's numbered steps.
//
// Invariants:
//   - No grant, no signature: a credential bound to the PIN is signed with by
//     hardware only against the proof that it made itself when it checked the PIN.
//   - What a response promises is durable before the response exists.
//   - A sign count is written before the signature that carries it is made; it
//     may skip, it never falls.
//   - A request that fails half-way leaves the store as it was.
//   - Errors do not tell whether a credential exists that the caller may not see.
//
// This package refuses to know TPMs, enclaves, files, packets, sockets and
// screens; it declares the interfaces it needs of them in ports.go.
package authenticator
