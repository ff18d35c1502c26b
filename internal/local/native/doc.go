// Package native gives the parts of this Mac that package local is made of: its Secure
// Enclave, and the person at Touch ID. Elsewhere it is empty.
//
// It refuses to know what is asked, and by which program.
package native
