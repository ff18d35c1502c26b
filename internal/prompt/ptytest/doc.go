// Package ptytest gives tests a terminal and a person who reads what is on it
// before typing.
//
//	test ──► Type, Expect ──► pseudo-terminal ──► what asks at Path
//
// Tests alone import it. It refuses to know what the questions are about.
package ptytest
