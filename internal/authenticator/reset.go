package authenticator

import (
	"context"
	"errors"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
)

// resetWindow is how long after power-up a device takes a reset (CTAP 2.3 §6.6).
const resetWindow = 10 * time.Second

// maxLosses bounds how many lost passkeys a prompt names.
const maxLosses = 50

// Reset is authenticatorReset (CTAP 2.3 §6.6). A prompt says what is lost. On
// HID it works only just after power-up; on the socket, where there is no such
// window, it needs the PIN too, unless that is not set or locked for good.
func (ch *Channel) Reset(ctx context.Context) error {
	_, err := serve(ctx, ch, "reset", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, ch.reset(ctx)
	})
	return err
}

func (ch *Channel) reset(ctx context.Context) error {
	a := ch.a
	if ch.door == ctap.DoorHID && time.Since(a.gate.PoweredOn()) > resetWindow {
		return ctap.NotAllowed
	}
	ask, err := a.resetQuestion()
	if err != nil {
		return err
	}
	if err := a.confirmReset(ctx, ch.door, ask); err != nil {
		return err
	}
	// From here on there is no way back, so a platform's cancel comes too late.
	return errors.Join(a.eraser.Erase(context.WithoutCancel(ctx)), a.gate.Forget())
}

func (a *Authenticator) confirmReset(ctx context.Context, door ctap.Door, ask Ask) error {
	if door == ctap.DoorSocket && a.pin.IsSet() {
		retries, err := a.pin.Retries(ctx)
		if err != nil {
			return err
		}
		if retries > 0 {
			_, err := a.gate.VerifyUser(ctx, ask, nil)
			return err
		}
	}
	return a.gate.Confirm(ctx, ask)
}

// lossOf names a passkey. Of U2F's nothing is known but a number.
func lossOf(c *Credential) string {
	if c.RP.ID == "" {
		return "a U2F key, for a site without a name"
	}
	return c.RP.ID + ": " + c.User.Name
}

// resetQuestion names what is lost.
func (a *Authenticator) resetQuestion() (Ask, error) {
	ask := Ask{Operation: OperationReset}
	for c, err := range a.store.Each() {
		if err != nil {
			return Ask{}, err
		}
		if ask.Lost++; len(ask.Losses) < maxLosses {
			ask.Losses = append(ask.Losses, lossOf(c))
		}
	}
	return ask, nil
}
