// Package ctaptest tests authenticators: a scripted person, a contract that every
// door must keep, and a platform's side of CTAPHID.
//
// It is imported by tests and by the programs under test/ only; arch_test.go
// holds that. Nothing here may ever reach a shipped program, for the person in
// it says yes to everything when told to.
package ctaptest
