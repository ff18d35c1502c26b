//go:build darwin

package main

import (
	"errors"
	"fmt"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

func rpNamed(id string) ctap.RelyingParty { return ctap.RelyingParty{ID: id} }

func accounts(name string) []ctap.User { return []ctap.User{{Name: name}} }

// wantError turns success into an error.
func wantError(err error) error {
	if err == nil {
		return errors.New("it went well, and must not")
	}
	return nil
}

// wantStatus wants the person's no.
func wantStatus(err error) error {
	if !errors.Is(err, ctap.OperationDenied) {
		return fmt.Errorf("it is %w", err)
	}
	return nil
}
