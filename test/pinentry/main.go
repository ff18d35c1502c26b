// Command pinentry is a pinentry program with a script in place of a person, for the
// tests that drive real clients: see pinentrytest. Its directory is the one it is
// called in, so that each test links to it from its own. It is never shipped.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/localpasskey/localpasskey/internal/prompt/pinentry/pinentrytest"
)

func main() {
	if err := pinentrytest.Run(filepath.Dir(os.Args[0]), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "pinentry:", err)
		os.Exit(1)
	}
}
