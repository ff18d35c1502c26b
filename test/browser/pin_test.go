//go:build e2e && linux

package browser_test

import (
	"context"
	"testing"
	"time"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/secret"
)

// otherPIN is what the PIN is changed to.
const otherPIN = "fuenf 5 tore"

// firstPIN is the trial of a key that has no PIN yet: Chromium has one set.
func firstPIN() trial {
	return trial{"sets the first PIN in its own window", func(t *testing.T, v *visitor) {
		const account = "iris"
		c := v.begin(t, "register", query{"account": account, "attestation": "none"})
		v.typeNewPIN(t, c, "kClientPinSetup", pin, "Chromium has a PIN set")
		v.wantRegistered(t, account, "none", c.end(t))
		v.wantAsked(t, question{"register", "localhost", []string{account}})
		acceptsPIN(t, pin)
	}}
}

// changedPIN is the trial of a PIN that has to be changed (forcePINChange): Chromium asks
// for it and for the next.
func changedPIN() trial {
	return trial{"changes the PIN in its own window", func(t *testing.T, v *visitor) {
		const account = "iris"
		forceChange(t)
		c := v.begin(t, "signIn", query{"account": account})
		v.typePIN(t, c, pin, "")
		v.typeNewPIN(t, c, "kClientPinChange", otherPIN, "Chromium has the PIN changed")
		v.wantSignedIn(t, account, "none", c.end(t))
		acceptsPIN(t, otherPIN)
	}}
}

// typeNewPIN types a PIN twice when Chromium shows that step.
func (v *visitor) typeNewPIN(t *testing.T, c *ceremony, step, pin, picture string) {
	t.Helper()
	c.await(t, uiStep+step)
	ctx, cancel := context.WithTimeout(t.Context(), ceremonyLimit)
	defer cancel()
	check(t, v.display.Await(ctx, dimmed))
	time.Sleep(time.Second) // until the dialog has the keyboard
	v.picture(t, picture)
	check(t, v.display.Type(ctx, pin))
	check(t, v.display.Press(ctx, "Tab"))
	check(t, v.display.Type(ctx, pin))
	check(t, v.display.Press(ctx, "Return"))
}

// forceChange has the PIN changed before its next use (CTAP 2.3 §6.11.4).
func forceChange(t *testing.T) {
	t.Helper()
	withKey(t, func(p ctap.Platform) {
		token, err := p.TokenWithPIN(t.Context(), secret.Of([]byte(pin)), ctap.PermissionConfiguration, "")
		check(t, err)
		check(t, ctap.Configure(t.Context(), p.Authenticator, token, ctap.SetMinPINLength, &ctap.MinPINLengthParams{ForceChangePIN: new(true)}))
	})
}

// acceptsPIN sees that the key knows the PIN.
func acceptsPIN(t *testing.T, pin string) {
	t.Helper()
	withKey(t, func(p ctap.Platform) {
		token, err := p.TokenWithPIN(t.Context(), secret.Of([]byte(pin)), ctap.PermissionCredentialManagement, "")
		check(t, err)
		token.Wipe()
	})
}
