// Package config changes what an authenticator demands: authenticatorConfig (CTAP
// 2.3 §6.11).
//
//	Handle ──► token (consent.Gate) ──► sub-command ──► Settings, in one write
//
// Invariants: what Supported lists is what Handle carries out; a demand is lowered
// only by whoever knows the PIN or, while there is none, by the person's yes.
//
// This package refuses to know keys, credentials and doors.
package config
