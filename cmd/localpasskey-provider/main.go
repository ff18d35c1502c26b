//go:build darwin

// Command localpasskey-provider is the executable of CredentialProvider.appex, which
// macOS runs when a passkey is wanted.
package main

import (
	"log/slog"
	"os"
	"runtime"

	"github.com/localpasskey/localpasskey/internal/autofill"
)

// group is the app group, set when the program is linked (see packaging/macos).
var group = "" //nolint:gochecknoglobals // Linking sets variables only.

// The main goroutine must keep the process's first thread: the system's main loop
// and all views belong to it, and only init runs on it for certain.
func init() { runtime.LockOSThread() } //nolint:gochecknoinits // The one exception: see above.

func main() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	parts, err := autofill.Open(group, log)
	if err == nil {
		err = parts.LogToFolder()
	}
	if err == nil {
		err = parts.Extension().Run()
	}
	log.Error("the extension cannot run", "cause", err)
	os.Exit(1)
}
