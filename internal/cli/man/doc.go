// Package man writes manual pages from what the commands say of themselves, so that
// neither can say what the other does not.
package man
