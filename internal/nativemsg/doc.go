// Package nativemsg is the door for the browser extension: native messages in, the
// WebAuthn client's steps, CTAP out.
//
//	browser ──frames──► Serve ──► client.Client ──► ctap.Authenticator
//	        ◄──"asking", then the answer──
//
//	frame: length (4 bytes, native-endian) ‖ JSON, at most 1 MiB either way
//
// Invariants:
//   - The browser's end of the stream withdraws what is asked: the prompt closes.
//   - Nothing but frames is written, and none that Chromium would close the port for.
//   - Messages are read strictly; one that is not ours ends the stream, and nothing else.
//   - One question at a time: a second one while the first is open is not ours.
//
// This package refuses to know extensions, prompts and keys.
package nativemsg
