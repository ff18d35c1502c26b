// Package blobs holds a device to the contract for large blobs; ctaptest runs it with
// the rest.
package blobs
