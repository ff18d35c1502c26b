// Package touchid asks the person by Touch ID. It implements authenticator.User.
//
//	Ask ──► Chooser: which account, on a Panel, where there are several
//	  └───► Reason: what the sheet says ──► Sensor: the finger ──► Gesture ──► Ask.Verify
//
// The rules of the sheet:
//   - It names the relying party and the account, as prompt makes them legible; macOS
//     puts the program's name in front: "localpasskey is trying to sign in to …".
//   - What has no words is refused, and so is a choice that nobody has made.
//   - A finger is good for one approval, and ends with it unless a key takes it up.
//
// This package refuses to know keys and what the finger unlocks.
package touchid
