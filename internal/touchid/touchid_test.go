package touchid_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/authenticator"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/macos/gesture"
	"github.com/localpasskey/localpasskey/internal/secret"
	"github.com/localpasskey/localpasskey/internal/touchid"
)

// sensor answers as the test says, and notes what was shown.
type sensor struct {
	refuse error
	before func() // runs while the sheet is open
	shown  []string
	made   []*gesture.Gesture
}

func (s *sensor) Ask(_ context.Context, reason string) (*gesture.Gesture, error) {
	s.shown = append(s.shown, reason)
	if s.before != nil {
		s.before()
	}
	if s.refuse != nil {
		return nil, s.refuse
	}
	g := gesture.New(macos.ID(len(s.shown)), func(macos.ID) {})
	s.made = append(s.made, g)
	return g, nil
}

func laError(code int) error {
	return &macos.Error{Domain: macos.DomainLocalAuthentication, Code: code, Text: "error"}
}

func signIn() authenticator.Ask {
	return authenticator.Ask{
		Operation: authenticator.OperationSignIn, RP: ctap.RelyingParty{ID: "example.com"},
		Accounts: []ctap.User{{Name: "octocat"}},
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for want, ask := range map[string]authenticator.Ask{
		"sign in to example.com as octocat":           signIn(),
		"create a passkey for example.com as octocat": {Operation: authenticator.OperationRegister, RP: signIn().RP, Accounts: signIn().Accounts},
		"create a passkey for example.com as octocat, which REPLACES the one that is here": {
			Operation: authenticator.OperationRegister, RP: signIn().RP, Accounts: signIn().Accounts, Replaces: true,
		},
		"tell example.com that you have a passkey here as octocat": {Operation: authenticator.OperationExists, RP: signIn().RP, Accounts: signIn().Accounts},
		"sign in to evil.example as x y":                           {Operation: authenticator.OperationSignIn, RP: ctap.RelyingParty{ID: "evil.\u202eexample"}, Accounts: []ctap.User{{Name: "x\ny\u200b"}}},
		"start over; there are no passkeys to lose":                {Operation: authenticator.OperationReset},
		"DESTROY all 5 passkeys for good: a, b, c and 2 more":      {Operation: authenticator.OperationReset, Lost: 5, Losses: []string{"a", "b", "c", "d", "e"}},
		"look through, change and DELETE your passkeys for example.com, to create a passkey for example.com and to sign in to example.com": {
			Operation: authenticator.OperationPIN, RP: signIn().RP,
			Permissions: ctap.PermissionCredentialManagement | ctap.PermissionMakeCredential | ctap.PermissionGetAssertion,
		},
		"find out whether this is the passkey device you mean; nothing is signed": {Operation: authenticator.OperationSelect},
		"stop demanding Touch ID for every use of a passkey":                      {Operation: authenticator.OperationRelax},
	} {
		if got, ok := touchid.Reason(ask, 0); !ok || got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, ask := range []authenticator.Ask{{}, {Operation: "steal"}, {Operation: authenticator.OperationPIN}} {
		s := &sensor{}
		if _, err := (touchid.User{Sensor: s}).Approve(t.Context(), ask); !errors.Is(err, ctap.OperationDenied) || len(s.shown) != 0 {
			t.Errorf("%+v: asked %q and answered %v", ask, s.shown, err)
		}
	}
	long := signIn()
	long.Accounts[0].Name = strings.Repeat("a", 1000)
	if got, _ := touchid.Reason(long, 0); len(got) > 150 {
		t.Errorf("a reason of %d bytes", len(got))
	}
}

// TestVerify: the finger reaches what verifies, and outlives a yes but no failure.
func TestVerify(t *testing.T) {
	t.Parallel()
	s := &sensor{}
	ask := signIn()
	var seen macos.ID
	ask.Verify = func(ctx context.Context, _ secret.Bytes) error {
		seen = gesture.From(ctx).Context()
		return nil
	}
	if _, err := (touchid.User{Sensor: s}).Approve(t.Context(), ask); err != nil || seen != 1 || s.made[0].Context() != 1 {
		t.Errorf("the finger came as %d, then %d: %v", seen, s.made[0].Context(), err)
	}
	ask.Verify = func(context.Context, secret.Bytes) error { return ctap.UVInvalid }
	if _, err := (touchid.User{Sensor: s}).Approve(t.Context(), ask); !errors.Is(err, ctap.UVInvalid) || s.made[1].Context() != 0 {
		t.Errorf("after a failure the finger is %d: %v", s.made[1].Context(), err)
	}
	ask.Verify = nil
	if _, err := (touchid.User{Sensor: s}).Approve(t.Context(), ask); err != nil || s.made[2].Context() != 0 {
		t.Errorf("a finger that nobody wants is %d: %v", s.made[2].Context(), err)
	}
}

// TestRefusals: every answer of LocalAuthentication has its status and its words.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]ctap.Status{
		macos.LAErrorUserCancel: ctap.OperationDenied, macos.LAErrorUserFallback: ctap.OperationDenied,
		macos.LAErrorSystemCancel: ctap.KeepaliveCancel, macos.LAErrorAppCancel: ctap.KeepaliveCancel,
		macos.LAErrorAuthenticationFailed: ctap.UVInvalid, macos.LAErrorBiometryLockout: ctap.UVBlocked,
		macos.LAErrorBiometryNotAvailable: ctap.NotAllowed, macos.LAErrorBiometryNotEnrolled: ctap.NotAllowed,
		macos.LAErrorPasscodeNotSet: ctap.NotAllowed, macos.LAErrorNotInteractive: ctap.UPRequired, macos.LAErrorInvalidContext: ctap.Other, -99: ctap.Other,
	} {
		s := &sensor{refuse: laError(code)}
		_, err := (touchid.User{Sensor: s}).Approve(t.Context(), signIn())
		p, ok := errors.AsType[*ctap.Problem](err)
		if ctap.StatusOf(err) != want || !ok || p.What == "" || !errors.Is(err, laError(code)) {
			t.Errorf("LAError %d became %v", code, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &sensor{refuse: laError(macos.LAErrorAppCancel), before: cancel}
	if _, err := (touchid.User{Sensor: s}).Approve(ctx, signIn()); !errors.Is(err, context.Canceled) {
		t.Errorf("a sheet that was taken away: %v", err)
	}
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	s := &sensor{}
	if err := (touchid.User{Sensor: s}).Confirm(t.Context(), "reason"); err != nil || s.shown[0] != "reason" || s.made[0].Context() != 0 {
		t.Errorf("%v, shown %q", err, s.shown)
	}
	s.refuse = laError(macos.LAErrorUserCancel)
	if err := (touchid.User{Sensor: s}).Confirm(t.Context(), "reason"); !errors.Is(err, ctap.OperationDenied) {
		t.Errorf("refused as %v", err)
	}
}

func TestChoice(t *testing.T) {
	t.Parallel()
	ask := signIn()
	ask.Accounts = append(ask.Accounts, ctap.User{Name: "hubot"})
	s := &sensor{}
	if _, err := (touchid.User{Sensor: s}).Approve(t.Context(), ask); !errors.Is(err, ctap.OperationDenied) || len(s.shown) != 0 {
		t.Errorf("chose by itself: %q, %v", s.shown, err)
	}
	for n, ok := range map[int]bool{0: true, 1: true, 2: false, -1: false} {
		s := &sensor{}
		u := touchid.User{Sensor: s, Choose: func(context.Context, authenticator.Ask) (int, error) { return n, nil }}
		yes, err := u.Approve(t.Context(), ask)
		if (err == nil) != ok || ok && yes.Account != n {
			t.Errorf("choice %d: %+v, %v", n, yes, err)
		}
		if ok && !strings.HasSuffix(s.shown[0], "as "+ask.Accounts[n].Name) {
			t.Errorf("choice %d was shown as %q", n, s.shown[0])
		}
	}
}
