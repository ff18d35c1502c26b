// Package transcript plays what platforms send to an authenticator, and what it answers,
// written down so that a person can read it: CBOR in diagnostic notation (RFC 8949 §8).
//
//	file ──► Play ──► requests (bytes) ──► ctap.Serve ──► answers ──► compared with patterns
//	                     ▲                                  │
//	                     └─────────── $names ◄──────────────┘
//
// A line is one of these; it goes on in the lines after it that begin with a space.
//
//	> 0x06 {1: 2, 2: 2}              a request: the command, and its parameters if any
//	< 0x00 {1: $their}               the answer: status and body, with names for what is new
//	< 0x36 PUAT_REQUIRED             a refusal; what is on the disk is the same byte by byte
//	< +30s 0x2f USER_ACTION_TIMEOUT  … after exactly that time
//	< 0x27 OPERATION_DENIED, counted … but that a sign count may have been used up
//	$x = sha256("example.com")       a name for a value that is worked out here
//	do setpin(2, "1234")             work without a value
//	. 31s                            time passes
//	power cycle                      the device is pulled and put back
//	reboot                           the TPM too
//	channel two                      requests go through that channel from now on
//	person says yes | no | nothing   how the person answers from now on
//	person types "1234", "5678"      which PINs
//	cancel after 1s                  the next request is cancelled
//	asked register, sign in          what the person was asked since this was last looked at
//	# a remark
//
// Values: 1, -7, 0x1f, "text", h'00ff', true, [1, 2], {1: "a", "b": 2}, $name, f(x).
// Patterns are values, and: $new takes whatever is there, _ passes it over, ... in a map
// allows for further entries, a & b demands both. Functions are listed in functions.go.
//
// This package refuses to know which authenticator it plays to. Tests only.
package transcript
