// Package ctaptest tests authenticators: a scripted person, and a contract that every
// door must keep. A platform's side of CTAPHID is in hidtest below it.
//
// It is imported by tests and by the programs under test/ only; arch_test.go
// holds that. Nothing here may ever reach a shipped program, for the person in
// it says yes to everything when told to.
package ctaptest
