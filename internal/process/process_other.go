//go:build !linux

package process

// Chain names nothing: this system's programs are not looked into.
func Chain(int) []string { return nil }

// Holders names nothing: there are no nodes of ours on this system.
func Holders(string) []int { return nil }
