package maccheck

import (
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

var errWell = errors.New("it went well, and must not")

// wantError turns success into an error.
func wantError(err error) error {
	if err == nil {
		return errWell
	}
	return nil
}

// wantRefusal wants the person's no.
func wantRefusal(err error) error {
	if err == nil {
		return errWell
	}
	if !errors.Is(err, ctap.OperationDenied) {
		return fmt.Errorf("it is no refusal: %w", err)
	}
	return nil
}
