//go:build !darwin

package main

import (
	"context"

	"github.com/localpasskey/localpasskey/internal/cli"
	"github.com/localpasskey/localpasskey/internal/macos/mainthread"
)

// launch runs the command line; a daemon answers it.
func launch(ctx context.Context, _ *mainthread.Thread, program cli.Program, args []string) int {
	return program.Run(ctx, args)
}
