// Package demo shows the whole job in one run: register a passkey, sign in with
// it, and try to take it away.
//
//	site ◄──HTTP── browser ──► daemon's socket ──► TPM
//	               (client data,     ▲             ▲
//	                PIN, JSON)    person        attacker
//
// The site, the daemon, the socket, the store and the commands to the TPM are the
// real ones. Scripted are the person, who says yes to whatever is asked, and the
// browser between site and socket.
//
// Invariants:
//   - A step that shows an attack fails unless the attack was refused, and refused
//     with the answer that the design promises: an attack that fails for another
//     reason shows nothing.
//   - Every attack has a machine of its own, so that their order does not matter.
//   - Nothing is left behind: no process, no file, and on a chip nothing but the
//     storage key, which is said.
//
// This package refuses to know how keys are bound to a PIN: the attacker reads the
// TPM's commands on their way, as root can, and sends his own.
package demo
