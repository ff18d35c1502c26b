// Package consent finds out whether the person at the machine agrees, and
// whether it is the right person: PIN, pinUvAuthTokens and the question itself.
//
//	clientPIN ──► Gate ──► token ──┐
//	                               ├─► Authorization ──► Obtain ──► use of a key
//	our prompt (PIN + gesture) ────┘        (grant)     (asks while the key is readied)
//
// Invariants:
//   - One question at a time: requests take turns, and a power cycle ends them.
//   - The PIN is checked by hardware, which has counted the try before it
//     answers; three wrong ones in a row block until the next power cycle.
//   - A token that lets a key be used lives as long as its grant, at most
//     GrantLifetime, and is spent by one use. No PIN stays in memory, but for
//     30 s where a token names no relying party yet. (What hardware holds for fingers
//     is package tpm's.)
//   - Built-in verification without a PIN that hardware accepted is a refusal,
//     whatever the prompt says.
//
// This package refuses to know credentials, keys, stores, packets and screens.
package consent
