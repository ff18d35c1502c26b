// Package ctaphid carries CTAP2 messages in 64-byte HID reports (CTAP 2.3 §11.2).
//
//	Conn ──reports──► device ──► message ──► ctap.Serve ──► ctap.Authenticator
//	     ◄─reports───    │  ◄── response ◄──┘                 one for each channel
//	                     └── keep-alives, errors
//
//	first: channel (4) ‖ 0x80|command (1) ‖ length (2) ‖ 57 bytes of the message
//	then:  channel (4) ‖ sequence (1)                  ‖ 59 bytes, up to 128 times
//
// One goroutine owns all state and writes all reports; one reads reports, one
// carries out the request. The device does one transaction at a time, as the
// specification wants of it: others are told that it is busy.
//
// Invariants:
//   - Any reports give an answer or silence; INIT works at any time, on any channel.
//   - Memory is bounded: one message of at most 7609 bytes, a fixed number of
//     channels, and at most one request that is still being cancelled beside the
//     one that waits for it.
//   - A request that runs is heard of within 100 ms, and every 100 ms from then on.
//   - When the last client has gone, what it asked for is given up.
//   - What one channel left behind, another does not see; INIT forgets it.
//   - The unused end of every report is zero.
//
// This package refuses to know how reports travel, what messages say, and who the
// caller is: whoever calls Serve puts that into its context.
package ctaphid
