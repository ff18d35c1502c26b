// Package demand reads what a person wants demanded of them: the PIN at every use, and
// its length.
package demand
