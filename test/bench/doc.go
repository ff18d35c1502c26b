// Command bench measures LocalPasskey on a software TPM, against bare TPM commands
// of the same run: how long people wait, how many commands a chip would see, what a
// daemon costs.
//
//	go run ./test/bench [-quick] [-runs N] [-record FILE] [-svg DIR] [-docs DIR] [-from FILE]
//
// Milliseconds of swtpm say nothing about a chip, ratios do: what is added to one
// TPM2_Sign after the gesture is added on every machine. Samples of all kinds take
// turns, so that a busy moment of the machine spoils no single row, and medians are
// shown. What is waited for after a pause is compared with a bare command after the same
// pause, because processors that were idle are slow to begin, whoever wants them. Nothing
// here fails because it was slow: aims are printed, and whether they were met.
//
// What takes another machine or a browser is measured by end-to-end tests, which are run
// where their programs are installed; see outside. Published chips are played: the
// software TPM answers as late as they do.
package main
