// Package storetest holds every authenticator.Store to one contract.
//
//	storetest.Run(t, func(t *testing.T) authenticator.Store { … })
//
// It is imported by tests only. It refuses to know how a store keeps things; what
// only one kind of store promises (files, crashes, locks) is tested beside it.
package storetest
