// Package figures holds what one run of the benchmarks has measured, and shows it: as
// text, as a page's tables and as drawings.
//
//	bench ──► Record ──┬─ Print ────► terminal
//	            ▲  │   ├─ Page ─────► docs/bench.md, between two marks
//	docs/bench.json◄   └─ Drawings ─► docs/images/bench-*.svg
//
// Invariants:
//   - The same record gives the same bytes, so that a test can hold the pages to what
//     was recorded.
//   - A ratio is between two figures of one run.
//   - Drawings have no scripts and name no other file; what a row is called never
//     becomes markup.
//
// This package refuses to know how anything is measured, and which figures there are.
package figures
