//go:build !darwin

package main

import (
	"context"

	"github.com/localpasskey/localpasskey/internal/cli"
)

// launch runs the command line; a daemon answers it.
func launch(ctx context.Context, program cli.Program, args []string) int {
	return program.Run(ctx, args)
}
