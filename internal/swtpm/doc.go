// Package swtpm runs a software TPM, the program swtpm, as a child of this process.
// It is for tests and for the demonstration: a TPM in software protects nothing.
//
//	Opener ──► Conn ─┐  swaps its objects and sessions in and
//	Opener ──► Conn ─┼─ out around every command, one command  ──► socketpair ──► swtpm
//	Opener ──► Conn ─┘  at a time, like Linux's /dev/tpmrm0
//
// A connection behaves like a file descriptor of /dev/tpmrm0: three objects and
// three sessions of its own that no other connection sees, gone when it is closed.
// Commands counts what reaches the chip that way, which is several times what was
// sent.
//
// Invariants:
//   - The child dies with this process, however that ends: the kernel kills it
//     (Linux), and swtpm itself ends when the socket does.
//   - The socket has no name: no other process can reach this TPM.
//   - Close waits for the child; nothing is left running.
//
// This package refuses to know what is done with the TPM, and no shipped program
// but the demonstration may link it.
package swtpm
