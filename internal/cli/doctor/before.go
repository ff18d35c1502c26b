package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/localpasskey/localpasskey/internal/cli/exit"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/chip"
	"github.com/localpasskey/localpasskey/internal/doctor"
	"github.com/localpasskey/localpasskey/internal/prompt"
)

// BeforeSetUp says whose TPM it is that a set-up will use, and fails where it would.
func BeforeSetUp(ctx context.Context, out io.Writer, client *ctap.Client) error {
	report, err := ctap.Call[chip.Report](ctx, client, chip.Command, nil)
	if errors.Is(err, ctap.InvalidCommand) {
		return nil // an older daemon; it tries the TPM out all the same
	}
	if err != nil {
		return err
	}
	made, hinders := doctor.BeforeSetUp(report)
	if hinders != nil {
		return &exit.Error{What: "the TPM cannot be used: " + hinders.Text, Hint: hinders.Hint, Code: exit.Unavailable}
	}
	fmt.Fprintf(out, "TPM: %s\n", prompt.Legible(made.Text, maxText))
	if made.Hint != "" {
		fmt.Fprintf(out, "hint: %s\n", prompt.Legible(made.Hint, maxText))
	}
	return nil
}
