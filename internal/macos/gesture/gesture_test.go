package gesture_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/macos/gesture"
)

// TestExplain: what macOS refuses with is said in words, with what to do about it.
func TestExplain(t *testing.T) {
	t.Parallel()
	const la, sec = macos.DomainLocalAuthentication, macos.DomainOSStatus
	for _, c := range []struct {
		domain string
		code   int
		want   ctap.Status
		what   string
	}{
		{la, macos.LAErrorUserCancel, ctap.OperationDenied, "you refused"},
		{la, macos.LAErrorUserFallback, ctap.OperationDenied, "you refused"},
		{la, macos.LAErrorSystemCancel, ctap.KeepaliveCancel, "withdrawn"},
		{la, macos.LAErrorAppCancel, ctap.KeepaliveCancel, "withdrawn"},
		{la, macos.LAErrorAuthenticationFailed, ctap.UVInvalid, "not recognized"},
		{la, macos.LAErrorBiometryLockout, ctap.UVBlocked, "locked after too many"},
		{la, macos.LAErrorBiometryNotAvailable, ctap.NotAllowed, "no Touch ID"},
		{la, macos.LAErrorBiometryNotEnrolled, ctap.NotAllowed, "knows no finger"},
		{la, macos.LAErrorPasscodeNotSet, ctap.NotAllowed, "no password"},
		{la, macos.LAErrorNotInteractive, ctap.UPRequired, "does not show questions"},
		{la, macos.LAErrorInvalidContext, ctap.Other, "did not work"},
		{sec, macos.ErrSecUserCanceled, ctap.OperationDenied, "you refused"},
		{sec, macos.ErrSecAuthFailed, ctap.UVInvalid, "not recognized"},
		{sec, macos.ErrSecInteractionNotAllowed, ctap.UPRequired, "locked"},
		{sec, macos.ErrSecUnimplemented, ctap.Other, "Secure Enclave"},
		{sec, macos.ErrSecDiskFull, ctap.KeyStoreFull, "disk is full"},
		{sec, macos.ErrSecItemNotFound, ctap.NoCredentials, "not there"},
		{sec, macos.ErrSecMissingEntitlement, ctap.Other, "not signed"},
		{sec, -1, ctap.Other, "did not do it"},
		{"another", 1, ctap.Other, "macOS did not do it"},
	} {
		native := &macos.Error{Domain: c.domain, Code: c.code}
		err := gesture.Explain(native)
		p, ok := errors.AsType[*ctap.Problem](err)
		if !ok || p.Status != c.want || !strings.Contains(p.What, c.what) || !errors.Is(err, native) {
			t.Errorf("%s %d: %v", c.domain, c.code, err)
			continue
		}
		if refused := c.want == ctap.OperationDenied || c.want == ctap.NoCredentials; p.Hint == "" && !refused && !strings.Contains(p.What, "did not") {
			t.Errorf("%s %d: %q, and no word of what to do", c.domain, c.code, p.What)
		}
	}
	if other := errors.New("x"); gesture.Explain(other) != other { //nolint:errorlint // The very same.
		t.Error("an error of another kind is put into words")
	}
	if gesture.Explain(nil) != nil {
		t.Error("no error becomes one")
	}
}

// TestEnds: a gesture is worth something once, and ends once.
func TestEnds(t *testing.T) {
	t.Parallel()
	var ended []macos.ID
	g := gesture.New(7, func(la macos.ID) { ended = append(ended, la) })
	if ctx := gesture.With(t.Context(), g); gesture.From(ctx) != g || gesture.From(t.Context()) != nil || g.Context() != 7 {
		t.Error("the context does not carry it, or another one does")
	}
	g.End()
	g.End()
	if g.Context() != 0 || len(ended) != 1 || ended[0] != 7 {
		t.Errorf("in the end it is %d, ended %v", g.Context(), ended)
	}
}
