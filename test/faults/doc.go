// Package faults makes trouble for a whole daemon and looks what is left:
//
//	script ──► daemon ──┬──► line ────► swtpm     refused, cut short, lost, silent, gone
//	  │                 ├──► store                full disk, flipped bits, cut short
//	  │                 └──► clock                the machine's, in a virtual machine
//	  └─ knows what was acknowledged
//
// A round is one fault at one moment of one operation. After it the next request is
// served, all that was acknowledged is there and nothing more, no try of the PIN is
// lost, and the TPM holds one index, no key and no session.
//
// A few rounds run with every `make test`. LOCALPASSKEY_FAULT_ROUNDS sets how many
// each fault gets; `make campaign` has a thousand. Places and moments are drawn from
// a fixed seed. Each test logs its figures in one line that begins with "figures:".
//
// It has tests only. It refuses to know how the daemon does what it does.
package faults
