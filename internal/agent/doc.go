// Package agent carries questions to the person's own session: the daemon belongs to
// the system, and whoever can show a prompt belongs to the person.
//
//	daemon                                  session
//	Remote ──── question ─────────────────► Desk ──► User: pinentry, terminal
//	  │    ◄─── a PIN was typed ───────────  │ ◄── Verify(pin)
//	  │ Verify: the hardware checks it       │
//	  │    ──── right, wrong, or an error ─► │
//	  │    ◄─── yes to account n, or no ───  │
//
// Each end makes of the other what it is not: Remote is an authenticator.User, and
// Desk calls one. Messages are CBOR maps; one exchange is one arrow there and one back.
//
// Invariants:
//   - An agent's word is consent, never verification: a PIN goes to the hardware, and
//     only the hardware's yes counts.
//   - A question that the daemon has withdrawn closes, also in the middle of a PIN.
//   - A Desk has one question open; when its connection ends, that one closes.
//   - PINs are wiped where they have been copied to.
//
// This package refuses to know how messages travel, which agent is whose, and what a
// prompt looks like.
package agent
