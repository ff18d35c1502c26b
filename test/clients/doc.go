// Package clients drives the programs that people use a security key with, in a virtual
// machine with a real kernel (see test/vm):
//
//	fido2-token, ssh, git, … ──► /dev/hidrawN ──► uhid ──► who answers ──► /dev/tpmrm0
//
//	machine   localpasskey daemon and agent, as people run them; the person is a
//	          pinentry program with a script
//	system    the system service by its units, under systemd, with two users logged in
//	scripted  test/authenticatord: settings that the command line does not have yet,
//	          and a person who does without a PIN
//
// It has tests only, behind the build tag e2e. It refuses to know how the authenticator
// works: what it looks at is what those programs print.
package clients
