// Package notify tells the person, in the desktop's notifications, what has happened to
// the passkeys.
//
//	daemon ──► Teller ──► words, legible and escaped ──► session bus ──► the desktop
//
// A notification is told, not asked: it has no action, and nothing of it can be clicked that
// has an effect here. Any program of the session can show one that looks the same, and
// read these, so nothing is ever decided by one.
//
// Invariants:
//   - Texts that sites, programs and a daemon chose stand in the body only, made legible by
//     the rules of prompt; where the desktop reads markup it is escaped.
//   - The daemon waits for nothing here: it is asked for notices, and keeps so many of them
//     for those who ask late. What comes at once is told at once, as one notification.
//   - A desktop that shows no notifications, or does not answer, costs a line of the log
//     and the notice. The log names no site and no account.
//
// This package refuses to know how the daemon is reached, and what is done about what it
// tells.
package notify
