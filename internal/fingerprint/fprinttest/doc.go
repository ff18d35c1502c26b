// Package fprinttest plays fprintd on a message bus: a reader on which a test lays fingers.
package fprinttest
