// Package pinentry asks the person by a pinentry program, as GnuPG does: GNOME's, KDE's,
// GTK's, or one on the terminal.
//
//	Ask ──► Pinentry.Approve ──► prompt.Describe ──► SETDESC …  GETPIN │ CONFIRM
//	                 │                                  Assuan, over stdin and stdout
//	                 └─ one process for each dialog ──► /usr/bin/pinentry
//
// The rules of its texts are prompt's; besides, what a program might take for markup is
// replaced. Of several accounts one page each is shown, for pinentry has no list.
//
// Invariants:
//   - A dialog that has closed in any way but OK is a refusal. A program that cannot
//     show one has asked nobody: then the terminal asks, where there is one.
//   - Nothing foreign can end an Assuan line or begin another.
//   - When the context ends the program is told to end at once, and killed 100 ms later.
//   - PINs are read into memory that is wiped; pinentry is told nothing that would have
//     it remember one.
//
// This package refuses to know keys, stores and doors.
package pinentry
