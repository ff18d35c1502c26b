//go:build e2e && linux

package browser_test

import (
	"context"
	"image"
	"testing"
	"time"
)

// uiStep is how Chromium's log names the dialog that it shows.
const uiStep = "UI step: "

// dismiss closes the dialog that Chromium ends a ceremony with: only then does the page
// learn of it. Other browsers have none.
func (v *visitor) dismiss(t *testing.T, c *ceremony, step string) {
	t.Helper()
	if v.display == nil {
		return
	}
	c.await(t, uiStep+step)
	for {
		select {
		case <-c.ended:
			return
		case <-time.After(time.Second): // it is being drawn
			check(t, v.display.Press(t.Context(), "Escape"))
		}
	}
}

// typed are the trials with Chromium's own dialog for the PIN.
func typed() []trial {
	return []trial{
		{"takes the PIN in its own window, the second time", wrongPINTyped},
		{"signs in with the PIN in its own window", signsInByPIN},
	}
}

func wrongPINTyped(t *testing.T, v *visitor) {
	carol := "carol"
	c := v.begin(t, "register", query{"account": carol, "attestation": "none"})
	v.typePIN(t, c, wrongPIN, "Chromium asks for the PIN")
	c.await(t, "kCtap2ErrPinInvalid")
	v.typePIN(t, c, pin, "Chromium asks for the PIN again")
	v.wantRegistered(t, carol, "none", c.end(t))
	v.wantAsked(t, question{"register", "localhost", []string{carol}})
}

func signsInByPIN(t *testing.T, v *visitor) {
	c := v.begin(t, "signIn", query{"account": v.accounts[0]})
	v.typePIN(t, c, pin, "")
	v.wantSignedIn(t, v.accounts[0], "direct", c.end(t))
	v.wantAsked(t, choose(v.accounts[0]))
}

// typePIN types a PIN when Chromium asks for it, and takes a picture before if that has a
// name. c then waits for what comes after.
func (v *visitor) typePIN(t *testing.T, c *ceremony, pin, picture string) {
	t.Helper()
	c.await(t, uiStep+"kClientPinEntry")
	ctx, cancel := context.WithTimeout(t.Context(), ceremonyLimit)
	defer cancel()
	check(t, v.display.Await(ctx, dimmed))
	time.Sleep(time.Second) // until the dialog has the keyboard
	if picture != "" {
		v.picture(t, picture)
	}
	check(t, v.display.Type(ctx, pin))
	c.mark = c.log.Mark()
	check(t, v.display.Press(ctx, "Return"))
	c.await(t, "(kAuthenticatorClientPin) {1: 2, 2: 9,") // getPinUvAuthTokenUsingPinWithPermissions
}

// dimmed tells whether the page is grey, as it is behind a dialog.
func dimmed(screen image.Image) bool {
	r, _, _, _ := screen.At(40, screen.Bounds().Dy()-40).RGBA()
	return r>>8 < 0xc0
}
