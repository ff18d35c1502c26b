// Package pages checks the pages of a bbolt file before bbolt trusts them.
//
//	head 0 ─┐                  ┌─► leaf ─► bucket ─► leaf …
//	head 1 ─┴─► root ─► branch ┼─► leaf
//	        └─► free pages     └─► leaf
//
// bbolt panics on pages that are not as it wrote them, sometimes in goroutines of
// its own where nobody can recover, follows their cycles for ever, and writes over
// what a damaged list calls free.
//
// Invariants:
//   - Any bytes give an answer: Check neither panics nor loops, and allocates no
//     more than the file is long.
//   - A file that passes can be read to its end by bbolt.
//   - Nothing is written.
//
// This package refuses to know what keys and values mean.
package pages
