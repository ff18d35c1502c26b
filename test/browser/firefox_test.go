//go:build e2e && linux

package browser_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"slices"
	"testing"

	"github.com/localpasskey/localpasskey/test/browser"
)

//go:embed dialogs.js
var dialogsScript string

// watch has Firefox's dialogs answered.
func watch(t *testing.T, f *browser.Firefox) browser.Window {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	window := f.Window()
	check(t, window.Evaluate(ctx, "(() => {"+dialogsScript+"})()", nil))
	return window
}

// asking are the trials with Firefox's own dialog for the PIN.
func asking(window browser.Window) []trial {
	type exchange struct {
		pins []string
		seen []string
	}
	talk := func(t *testing.T, e exchange, ceremony func()) {
		t.Helper()
		pins, err := json.Marshal(e.pins)
		check(t, err)
		check(t, window.Evaluate(t.Context(), "dialogs.seen(), dialogs.pins = "+string(pins), nil))
		ceremony()
		var seen []string
		check(t, window.Evaluate(t.Context(), "dialogs.seen()", &seen))
		if !slices.Equal(seen, e.seen) {
			t.Errorf("Firefox has asked\n%q, wanted\n%q", seen, e.seen)
		}
	}
	const ask, again = "dialog Please enter the PIN for your device.", "dialog Incorrect PIN. Try again."
	return []trial{
		{"takes the PIN in its own window, the second time", func(t *testing.T, v *visitor) {
			erin := "erin"
			talk(t, exchange{
				[]string{wrongPIN, pin},
				[]string{"presence", "pin-required", ask, "pin-invalid 7", again, "presence", "cancel"},
			}, func() {
				v.wantRegistered(t, erin, "none", v.register(t, query{"account": erin, "attestation": "none"}))
			})
			v.wantAsked(t, question{"register", "localhost", []string{erin}})
		}},
		{"signs in with the PIN in its own window", func(t *testing.T, v *visitor) {
			talk(t, exchange{[]string{pin}, []string{"presence", "pin-required", ask, "presence", "cancel"}}, func() {
				v.wantSignedIn(t, v.accounts[0], "direct", v.signIn(t, query{"account": v.accounts[0]}))
			})
			v.wantAsked(t, choose(v.accounts[0]))
		}},
	}
}
