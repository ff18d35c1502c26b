// Command authenticatord is LocalPasskey's authenticator for other people's test
// suites: the real core on a software TPM, with a scripted person, behind CTAPHID.
//
//	suite ──► socket or hidraw ──► ctaphid ──► authenticator ──► store, swtpm
//	  └─────► HTTP control: touch, power, uv        └──► scripted person
//
// The socket is SOCK_SEQPACKET: one 64-byte report per packet, one connection is one
// open of the device's node, and answers go to all of them, as hidraw has it.
//
//	GET /touch/auto   the person says yes, after -touch-delay
//	GET /touch/hold   the person does nothing until the question is withdrawn
//	GET /touch/deny   the person says no, after -touch-delay
//	GET /asked        what the person was asked since the last time, in JSON:
//	                  [{"operation":"sign in","rp":"example.com","accounts":["bob","alice"]}]
//	GET /account/N    where there is a choice the person takes account N, 0 for the newest
//	GET /uv/ok        the person types -pin
//	GET /uv/fail      the person types a wrong PIN, as often as the prompt lets him
//	GET /power/off    the device and all it remembers only while it has power are gone
//	GET /power/on     it is back, with the same store
//
// It prints a line for the socket or device, one for the control address, and then
// "ready". It ends with SIGTERM or SIGINT and removes what it has made but -state.
//
// Never part of a release, and never on a chip that anybody depends on: the person in
// it says yes to everything.
package main
