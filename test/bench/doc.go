// Command bench measures LocalPasskey on a software TPM, against bare TPM commands
// of the same run: how long people wait, how many commands a chip would see, what a
// daemon costs.
//
//	go run ./test/bench [-runs N] [-json FILE]
//
// Milliseconds of swtpm say nothing about a chip, ratios do: what is added to one
// TPM2_Sign after the gesture is added on every machine. Samples of all kinds take
// turns, so that a busy moment of the machine spoils no single row, and medians are
// shown. Nothing here fails because it was slow: aims are printed, and whether they
// were met.
package main
