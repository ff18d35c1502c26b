// Package socket carries CTAP2 messages over a Unix stream socket, and tells who
// is calling.
//
//	client                         daemon
//	  │ request ───────────────────► │  one after another; connection = channel
//	  │ ◄──────────────── progress   │  whenever what it waits for changes
//	  │ cancel ────────────────────► │  for the request sent last; no answer of its own
//	  │ ◄──────────────── response   │
//
//	frame: kind (1 byte) ‖ length (4 bytes, big-endian) ‖ body
//	       1 request ≤ 64 KiB   2 response ≤ 1 MiB   3 cancel, empty   4 progress, 1 byte
//	       5 attend, empty
//
// A client whose first frame is attend offers to be an agent: once it has a response
// that takes it up, the two have changed sides, and the daemon sends the requests.
//
// Invariants:
//   - The caller's uid and pid come from the kernel. Program names are a hint.
//   - A closed connection cancels what it asked for.
//   - A frame that is not one of these ends its connection, and nothing else;
//     memory grows with what arrives, not with what is announced.
//   - A slow or silent peer holds up nobody but itself, and of each account only so
//     many are let in: a user who connects without end disturbs no other.
//   - A socket file is removed only when nobody answers behind it, and never where
//     another program listens for the daemon (Inherited).
//
// This package refuses to know what the messages say and whether the caller may
// send them.
package socket
