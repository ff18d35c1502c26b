// Package process tells which programs ask: what a process and its parents are
// called, and who has a device's node open.
//
//	socket:  peer's pid ─────────────► Chain   ─► firefox ← gnome-shell
//	hidraw:  node ───────► HolderChains ─► ssh ← bash
//
// It is for people to read, in prompts and logs, and never a decision: names can be
// chosen, processes may have ended meanwhile, and those of other users that this
// process may not look into are not seen. Where a system has no way to tell, there
// are no names.
//
// This package refuses to know what is asked.
package process
