// Package credential describes passkeys: the record of one, the hardware key in
// it and what that key demands before it works, and how records are kept.
//
//	Credential ── RP, User, flags, counter
//	    └─ Key ── KeySpec: kind, Binding, relying party
//
// Invariants: what a key demands (Binding), the AAGUID and the backup flags are
// fixed when a credential is made and never change.
//
// This package refuses to know who asks, who decides and where records go.
package credential
