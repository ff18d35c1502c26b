// Package pinindex makes and uses TPM indices that count wrong PINs and that nobody
// can write a second time.
//
//	auth        f(PIN), changed by TPM2_NV_ChangeAuth, counted by the TPM
//	authPolicy  PolicyAuthorize(K); K lives for a moment and approves four policies:
//	              CC(NV_Write)                         used once, then thrown away
//	              PolicySecret(self) CC(NV_ChangeAuth) the PIN changes the PIN
//	              CC(NV_Read)                          anyone reads the counter
//	              CC(PolicyNV)                         anyone proves that the index lives
//
// Why so: whoever holds the owner's authorization, empty on most machines, can
// undefine the index and define one of the same public area with a PIN of his own.
// But the Name that keys are bound to contains WRITTEN, which only writing sets,
// and no approval to write is left.
//
// Invariants:
//   - No approved policy contains PolicyAuthValue or PolicyPassword: on that path
//     the limit is not enforced (the 14th guess went through with a limit of 8).
//   - An authorization crosses the bus in no form: sessions are salted.
//   - An index is announced before it is defined, with what tells it from another
//     program's at the same place; only what was announced is ever undefined.
//
// What stays true all the same: destroying K cannot be proven, and root that was
// present when the index was made could have kept it.
//
// This package refuses to know how an authorization comes from a PIN, what is bound
// to the index, and where the approvals are kept.
package pinindex
