// Package extension reads what relying parties ask of extensions (CTAP 2.3 §12) and
// writes what they are answered.
//
//	inputs ──► ReadRegistration ──► Registration ──► Outputs
//	inputs ──► ReadSignIn ────────► SignIn ────────► Outputs
//
// Invariants: what Supported lists is what the two carry; an input that is read has
// the type and the values of the specification; an extension that nobody asked for
// answers nothing.
//
// This package refuses to know keys, prompts and stores: it is told what they gave.
package extension
