//go:build e2e && linux

package browser_test

import (
	"testing"

	"github.com/localpasskey/localpasskey/internal/demo/site"
)

// Questions of the authenticator's own prompt. Both browsers verify the user first, and
// by that alone the key has said yes to what follows.
func verify(accounts ...string) question { return question{"verify", site.Host, accounts} }
func choose(accounts ...string) question { return question{"sign in", site.Host, accounts} }

// everyday are the trials that end without a dialog of Chromium's: headless, it would wait
// for ever. The first account registers with attestation, the second without.
func everyday() []trial {
	return []trial{
		{"registers", registers},
		{"signs in by name", signsInByName},
		{"signs in with the one passkey there is", findsOne},
		{"registers without attestation", registersUnattested},
		{"signs in with one of two passkeys", findsTwo},
		{"is left by its page", aborted},
		{"loses the key", unplugged},
	}
}

func registers(t *testing.T, v *visitor) {
	alice := v.accounts[0]
	v.wantRegistered(t, alice, "direct", v.register(t, query{"account": alice, "attestation": "direct"}))
	v.wantAsked(t, verify())
}

func signsInByName(t *testing.T, v *visitor) {
	alice := v.accounts[0]
	v.wantSignedIn(t, alice, "direct", v.signIn(t, query{"account": alice}))
	v.wantAsked(t, verify(alice))
}

// Our prompt has named the account, and the browser shows no window to confirm it.
func findsOne(t *testing.T, v *visitor) {
	alice := v.accounts[0]
	v.wantFound(t, alice, "direct")
	v.wantAsked(t, verify(alice))
}

// wantFound signs in without a name, to the account that our prompt has named or asked for.
func (v *visitor) wantFound(t *testing.T, account, conveyance string) {
	t.Helper()
	got := v.signIn(t, query{"discoverable": "1"})
	if v.old() {
		wantError(t, got, "NotAllowedError")
		return
	}
	v.wantSignedIn(t, account, conveyance, got)
}

func registersUnattested(t *testing.T, v *visitor) {
	bob := v.accounts[1]
	v.wantRegistered(t, bob, "none", v.register(t, query{"account": bob, "attestation": "none"}))
	v.wantAsked(t, verify())
}

// Our prompt asks which, and the browser takes its word: userSelected.
func findsTwo(t *testing.T, v *visitor) {
	alice, bob := v.accounts[0], v.accounts[1]
	v.wantFound(t, bob, "none")
	v.wantAsked(t, verify(), choose(bob, alice))
	v.key.tell(t, "/account/1")
	v.wantFound(t, alice, "direct")
	v.wantAsked(t, verify(), choose(bob, alice))
}

func aborted(t *testing.T, v *visitor) {
	v.key.tell(t, "/touch/hold")
	c := v.begin(t, "signIn", query{"account": v.accounts[0]})
	v.wantAsked(t, verify())
	v.abort(t)
	wantError(t, c.end(t), "AbortError")
	v.signsInAgain(t)
}

// Chromium waits for the key to come back, and then goes on; Firefox gives up.
func unplugged(t *testing.T, v *visitor) {
	v.key.tell(t, "/touch/hold")
	c := v.begin(t, "signIn", query{"account": v.accounts[0]})
	v.wantAsked(t, verify())
	v.key.tell(t, "/power/off")
	if found := nodes(t); len(found) != 0 {
		t.Errorf("the power is off, and there is %s", found)
	}
	v.key.tell(t, "/touch/auto")
	if v.name == "Firefox" {
		wantError(t, c.end(t), "NotAllowedError")
		v.key.tell(t, "/power/on")
	} else {
		v.key.tell(t, "/power/on")
		v.wantSignedIn(t, v.accounts[0], "direct", c.end(t))
	}
	v.signsInAgain(t)
}

// signsInAgain sees that nothing of a ceremony that failed is in the way of the next.
func (v *visitor) signsInAgain(t *testing.T) {
	t.Helper()
	v.key.tell(t, "/touch/auto")
	v.wantSignedIn(t, v.accounts[0], "direct", v.signIn(t, query{"account": v.accounts[0]}))
}

// refusals are the trials that Chromium ends with a dialog.
func refusals() []trial {
	return []trial{
		{"registers twice", excluded},
		{"is told no", refused},
	}
}

func excluded(t *testing.T, v *visitor) {
	c := v.begin(t, "register", query{"account": v.accounts[0]})
	v.dismiss(t, c, "kKeyAlreadyRegistered")
	wantError(t, c.end(t), "InvalidStateError")
	v.wantAsked(t, verify())
	v.signsInAgain(t)
}

func refused(t *testing.T, v *visitor) {
	v.key.tell(t, "/touch/deny")
	c := v.begin(t, "signIn", query{"account": v.accounts[0]})
	v.dismiss(t, c, "kErrorInternalUnrecognized")
	wantError(t, c.end(t), "NotAllowedError")
	v.wantAsked(t, verify())
	v.signsInAgain(t)
}
