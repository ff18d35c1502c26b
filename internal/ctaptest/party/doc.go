// Package party plays whom an authenticator deals with: the platform, the relying
// party and the person, whose answers are scripted.
package party
