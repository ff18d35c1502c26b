// Package prompt asks the person at the machine, on a terminal.
//
//	Ask ──► Terminal.Approve ──► what, for whom, who asks ──► yes, or the PIN
//	                 │
//	                 └─ Line, Secret ──► the terminal, in a mode of ours while a question is open
//
// The rules of its texts:
//   - The relying party's ID comes first: the browser has checked it. What a site
//     calls itself or its accounts is marked as the site's own word, and the
//     asking program as a hint.
//   - Nothing foreign is shown before Legible has made it harmless.
//   - Nothing but a whole "yes", the PIN or, for a reset, the word "reset" is
//     consent. Everything else refuses, an empty line among it.
//
// Invariants:
//   - What was typed before a question opened does not answer it, and what is left
//     when it closes goes to nobody.
//   - However a question ends, the terminal is as it was: echo comes back.
//   - When the context ends, the question closes at once.
//   - One question at a time.
//
// This package refuses to know keys, stores and doors, and has no way to approve
// without a person.
package prompt
