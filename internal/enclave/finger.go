package enclave

import (
	"context"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// fingerTries is what there is to tell of tries: macOS counts fingers itself, and
// locks Touch ID after five wrong ones.
const fingerTries = 8

// IsSet is true: the finger is always wanted.
func (Keys) IsSet() bool { return true }

// Change is refused: fingers are changed in System Settings.
func (Keys) Change(context.Context, secret.Bytes, secret.Bytes) error {
	return &ctap.Problem{
		Status: ctap.NotAllowed, What: "there is no PIN on a Mac: Touch ID takes its place",
		Hint: "fingers are changed in System Settings > Touch ID & Password",
	}
}

// Verify takes the gesture that ctx carries in place of a PIN.
func (Keys) Verify(ctx context.Context, _ secret.Bytes, rpIDHash *[32]byte) (authenticator.Grant, error) {
	var hash [32]byte
	if rpIDHash != nil {
		hash = *rpIDHash
	}
	g, err := granted(ctx, hash)
	if err != nil || rpIDHash == nil {
		return nil, err
	}
	return g, nil
}

// Retries gives a number that never changes.
func (Keys) Retries(ctx context.Context) (int, error) { return fingerTries, ctx.Err() }
