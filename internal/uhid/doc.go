// Package uhid makes a FIDO2 security key that has no plug: a HID device of this
// Linux kernel whose far end is this process.
//
//	browser, ssh, PAM ──► /dev/hidrawN ──► kernel ──► /dev/uhid ──► Device
//	      write 65 bytes                      OUTPUT event     ReadReport  64 bytes
//	      read  64 bytes                      INPUT2 event     WriteReport 64 bytes
//
// The kernel lists it like a key on USB, with the report descriptor of CTAP 2.3
// §11.2.8: clients look for usage page 0xF1D0 and take no bus but USB (libfido2).
// Who may open the hidraw node is up to udev's rules, not to this package.
//
// Invariants:
//   - What clients write cannot end the device: a report of another length or with
//     a report number is dropped, as a key on a bus would never see it, and each
//     request for a feature report is refused at once, for the kernel holds its
//     client up to five seconds for an answer.
//   - The kernel's events are decoded strictly; one that cannot be is an error.
//   - When Close returns, the device and its nodes are gone.
//
// This package refuses to know what the reports say.
package uhid
