//go:build !linux

package process

// HolderChains names nothing: there are no nodes of ours on this system.
func HolderChains(string) [][]string { return nil }

// Chain names nothing: this system does not tell.
func Chain(int) []string { return nil }
