// Package view shows passkeys and states: in tables and words to people, in JSON to
// scripts.
//
//	ctap.Passkey, ctap.StatusResponse ──► a table, words, or JSON ──► io.Writer
//
// Invariants:
//   - Whatever a site, a program or a daemon chose is legible (prompt.Legible) to a
//     person, and escaped in JSON where a terminal would act on it.
//   - The names of JSON fields do not change; times are RFC 3339 in UTC.
//
// This package refuses to know sockets, flags and questions.
package view
