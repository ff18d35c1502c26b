//go:build !linux

package process

// Chain names nothing: this system's processes are not looked into.
func Chain(int) []string { return nil }

// HolderChains names nothing: there are no nodes of ours on this system.
func HolderChains(string) [][]string { return nil }
