// Package hidtest plays the platform on CTAPHID, and the device it speaks to: 64-byte
// reports to messages and back, written apart from internal/ctaphid so that the two
// check each other.
package hidtest
