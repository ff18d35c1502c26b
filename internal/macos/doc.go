// Package macos declares, once, all that we call of macOS's frameworks, and on a
// Mac makes it callable.
//
//	Functions   C functions            ┐
//	Constants   symbols holding a CFString │  one struct field each, whose Go type
//	Addresses   symbols used by address    ├─ is the C type and whose tag is the name
//	Messages    Objective-C messages sent  │
//	Overrides   methods we implement   ┘
//	Actions     messages that menus send
//	Enums, Classes, Protocols          names and numbers
//	      │
//	      ├─► Entries ──► the test: each against the SDK's facts (testdata/sdk.tsv), on Linux
//	      └─► Load    ──► Library: resolved and callable, on macOS only
//
// Invariants:
//   - No other package names a symbol, a selector or a class of Apple's.
//   - What came to macOS after Minimum carries its version: a message answers its
//     zero value on a system that does not know it.
//   - A Go panic does not unwind into Objective-C: Library.Define stops it.
//
// The facts are names, types, numbers and versions, taken from two independent
// translations of Apple's SDK (PyObjC's metadata and objc2); no Apple text is in them.
//
// This package refuses to know keys, passkeys and what any of it is called for.
package macos
