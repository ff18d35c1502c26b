package pinentry_test

import (
	"context"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// The dialog says that a finger does as well, until a wrong PIN has been typed.
func TestDialogTellsOfTheReader(t *testing.T) {
	t.Parallel()
	d := sit(t, "pin wrong", "pin right")
	ask := signIn()
	ask.Retries = 3
	ask.ByFinger = func(context.Context) error { t.Error("a prompt has called it"); return nil }
	ask.Verify = func(_ context.Context, pin secret.Bytes) error {
		if string(pin.Reveal()) == "right" {
			return nil
		}
		return &authenticator.WrongPIN{Retries: 2}
	}
	if _, err := d.Approve(t.Context(), ask); err != nil {
		t.Error(err)
	}
	shown := d.shown()
	first, second, _ := strings.Cut(shown, "SETERROR Wrong PIN.")
	if !strings.Contains(first, "\n\nTouch the fingerprint reader, or type the PIN: 3 tries left.\nSETPROMPT PIN:") ||
		!strings.Contains(first, "\n\n2 tries left.\nSETPROMPT PIN:") || strings.Contains(second, "finger") || strings.Count(shown, "finger") != 1 {
		t.Errorf("shown:\n%s", shown)
	}
}
