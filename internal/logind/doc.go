// Package logind tells who sits at this machine in front of an unlocked screen, by the
// word of systemd-logind.
//
//	org.freedesktop.login1 ── sessions: user, seat, active, locked ──┐
//	                       └─ PrepareForSleep ───────────────────────┴─► {1000}
//
// Somebody is present who has a session of a person (not a greeter's) that has a seat, is
// in front there (Active) and is not locked (LockedHint), while the machine is not about
// to sleep. A session over the network has no seat.
//
// Invariants:
//   - While logind cannot be asked nobody is present.
//   - The machine goes to sleep only when the change to nobody has been applied, as far
//     as logind lets us delay it.
//
// A desktop that does not tell logind of its lock screen does not tell us either.
//
// This package refuses to know what presence is good for.
package logind
