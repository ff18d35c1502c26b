// Package trail keeps the audit trail in a bucket of the store: entries in the order
// in which things happened, each with the hash of the one before.
//
//	head   first ‖ next ‖ hash of the last ‖ when entries went      (sealed)
//	entry  sequence → CBOR of ctap.AuditEntry, Previous among it    (sealed)
//
// Invariants: sequence numbers have no gaps; an entry is never changed; the oldest
// goes when there are more than Limit, and the chain holds from there on. A changed
// byte is found: a sealed entry does not open, or the hashes do not fit.
//
// Whoever has the store's key, root among them, can write a new chain. What was
// exported before tells.
//
// This package refuses to know what happened, who asks, and transactions.
package trail
