// Package gesture carries the person's finger from the question to the key: the
// LAContext that they answered, and what its refusals mean.
//
//	touchid ── asks ──► Gesture ──With──► ctx ──From──► enclave: the key's one use
//
// Invariants: a gesture ends once, and then satisfies no key any more; End may be
// called twice. Explain keeps the system's error as the cause.
//
// This package refuses to know who asks, for what, and which key is used.
package gesture
