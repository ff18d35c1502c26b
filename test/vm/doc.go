// Package vm runs a test in a virtual machine with Debian's kernel, a TPM 2.0 and
// /dev/uhid, which development machines rarely have and no test should touch there.
//
//	host                               guest: QEMU without KVM, up in seconds
//	go test ──boots──► qemu ─────────► Linux ── 9p ──► the host's / , read-only,
//	    ▲                │                │            with a tmpfs on top
//	    │              swtpm ◄── CRB ─────┤
//	    └── results ◄── 9p, shared ◄──────┴─ the same test binary, as root
//
// The test calls Run on the host, and Inside tells it that it has arrived. Whatever
// is installed or built on the host is there in the guest, at the same path; nothing
// that the guest does to it is left.
//
// With Config.Systemd the guest has an init, as machines of people have: udev, a system
// bus and logind run as units, and so can what is tested.
//
// CutPower pulls the guest's plug. The machine boots again, on the same TPM, and the
// test goes on from what it has put into Kept.
//
// Invariants:
//   - The host's disk is read-only to the guest but for one temporary directory.
//   - QEMU and swtpm are children of the test: they end with it, and are killed
//     when the guest takes longer than it may.
//   - A guest that does not say how its tests ended has failed.
//   - After a failure the directory stays, with the serial console in it.
//
// This package refuses to know what is tested.
package vm
