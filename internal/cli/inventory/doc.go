// Package inventory is the commands around internal/inventory: which accounts have a
// passkey on which device. It refuses to know how lists are matched.
package inventory
