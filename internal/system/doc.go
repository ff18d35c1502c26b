// Package system serves every user of a machine from one daemon, each with an
// authenticator of his own.
//
//	socket ── uid by the kernel's word ──► that user's daemon.Daemon
//	                                        ├ STATE/<uid>/passkeys.db
//	                                        ├ a HID device that udev gives to him alone
//	                                        ├ his agents
//	                                        └ his turns at the TPM
//
// Invariants:
//   - A caller reaches the authenticator of his own uid and no other, root included;
//     nothing in a request names a user.
//   - While a user is not at the machine he has no device, and nothing goes on that he
//     permitted or was asked before.
//   - A store is made by its user's set-up, and by nothing else.
//   - Connections and turns at the TPM are shared out by user. Uids that are nobody's,
//     of which any user can have thousands (user namespaces), have one share together
//     and can have no store.
//
// This package refuses to know what is asked and answered.
package system
