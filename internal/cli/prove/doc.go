// Package prove is the commands that prove to others where a passkey's key is, and those
// with which others check it.
//
//	prove start ──► claim.json ──► prove challenge ──► challenge.json, note.json
//	prove answer challenge.json ──► answer.json ──► prove verify note.json answer.json
//
// The first and the third need a daemon; the second and the fourth need nothing but files.
//
// This package refuses to know what makes a proof hold.
package prove
