//go:build e2e && linux

package browser_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// together has two browsers, and libfido2, use one node at the same time. The kernel gives
// everybody every answer; the key serves one channel, and tells others that it is busy
// (CTAP 2.3 §11.2.5.1). What they make of that is theirs, but each must end, and the key
// must be free again.
func together(firefox *visitor) []trial {
	return []trial{
		{"has the key, and others find it busy", func(t *testing.T, chromium *visitor) { othersFindItBusy(t, chromium, firefox) }},
		{"waits while Firefox has the key", func(t *testing.T, chromium *visitor) { waitsItsTurn(t, chromium, firefox) }},
	}
}

// libfido2 takes a busy key for one without CTAP2. Firefox gives it up and waits for
// another, until the page does not.
func othersFindItBusy(t *testing.T, chromium, firefox *visitor) {
	chromium.key.tell(t, "/touch/hold")
	held := chromium.begin(t, "signIn", query{"account": chromium.accounts[0]})
	chromium.wantAsked(t, verify())
	if info, err := tokenInfo(t); err != nil || strings.Contains(info, "FIDO_2_1") || !strings.Contains(info, "nocbor") {
		t.Errorf("of a busy key libfido2 says %v\n%s", err, info)
	}
	hopeless := firefox.begin(t, "signIn", query{"account": firefox.accounts[0]})
	hopeless.await(t, "error while initializing device")
	firefox.abort(t)
	wantError(t, hopeless.end(t), "AbortError")
	chromium.abort(t)
	wantError(t, held.end(t), "AbortError")
	// The page hears of the end before the key does.
	eventually(t, "libfido2 finds a key that was busy", func() bool {
		info, err := tokenInfo(t)
		return err == nil && strings.Contains(info, "version strings: FIDO_2_1")
	})
	chromium.signsInAgain(t)
	firefox.signsInAgain(t)
}

// Chromium asks a busy key again and again.
func waitsItsTurn(t *testing.T, chromium, firefox *visitor) {
	chromium.key.tell(t, "/touch/hold")
	held := firefox.begin(t, "signIn", query{"account": firefox.accounts[0]})
	firefox.wantAsked(t, verify())
	patient := chromium.begin(t, "signIn", query{"account": chromium.accounts[0]})
	patient.await(t, "Sending CTAP2 AuthenticatorGetInfo")
	select {
	case <-patient.ended:
		t.Fatalf("it did not wait: %s", patient.end(t))
	case <-time.After(2 * time.Second):
	}
	chromium.key.tell(t, "/touch/auto")
	firefox.abort(t)
	wantError(t, held.end(t), "AbortError")
	chromium.wantSignedIn(t, chromium.accounts[0], "direct", patient.end(t))
	firefox.signsInAgain(t)
}

// tokenInfo gives what libfido2 says of the key.
func tokenInfo(t *testing.T) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "fido2-token", "-I", node(t)).CombinedOutput()
	return string(out), err
}
