package gesture

import (
	"context"
	"errors"
	"sync"

	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/macos"
)

// Gesture is an LAContext that the person has answered. Keys that are opened with
// it do not ask again.
type Gesture struct {
	once    sync.Once
	mu      sync.Mutex
	context macos.ID // 0 when ended
	end     func(macos.ID)
}

// New makes a gesture of an LAContext; end invalidates and releases it.
func New(context macos.ID, end func(macos.ID)) *Gesture { return &Gesture{context: context, end: end} }

// Context gives the LAContext, 0 once the gesture has ended.
func (g *Gesture) Context() macos.ID {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.context
}

// End makes the gesture worthless.
func (g *Gesture) End() {
	g.once.Do(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.end(g.context)
		g.context = 0
	})
}

type key struct{}

// With gives a context that carries g.
func With(ctx context.Context, g *Gesture) context.Context { return context.WithValue(ctx, key{}, g) }

// From gives the gesture that ctx carries, nil for none.
func From(ctx context.Context) *Gesture {
	g, _ := ctx.Value(key{}).(*Gesture)
	return g
}

// Explain says what an error of LocalAuthentication or Security means to a person,
// as a *ctap.Problem. Other errors come through as they are.
func Explain(err error) error {
	native, ok := errors.AsType[*macos.Error](err)
	if !ok {
		return err
	}
	p := ctap.Problem{Status: ctap.Other, What: "macOS did not do it", Cause: err}
	switch native.Domain {
	case macos.DomainLocalAuthentication:
		p = refused(native.Code)
	case macos.DomainOSStatus:
		p = failed(native.Code)
	}
	p.Cause = err
	return &p
}

// refused is Explain for LAError.
func refused(code int) ctap.Problem {
	switch code {
	case macos.LAErrorUserCancel, macos.LAErrorUserFallback:
		return ctap.Problem{Status: ctap.OperationDenied, What: "you refused"}
	case macos.LAErrorSystemCancel, macos.LAErrorAppCancel:
		return ctap.Problem{Status: ctap.KeepaliveCancel, What: "the question was withdrawn", Hint: "try again"}
	case macos.LAErrorAuthenticationFailed:
		return ctap.Problem{Status: ctap.UVInvalid, What: "the finger was not recognized", Hint: "try again, or add the finger in System Settings > Touch ID & Password"}
	case macos.LAErrorBiometryLockout:
		return ctap.Problem{Status: ctap.UVBlocked, What: "Touch ID is locked after too many wrong fingers", Hint: "lock the screen and unlock it with your password"}
	case macos.LAErrorBiometryNotAvailable:
		return ctap.Problem{Status: ctap.NotAllowed, What: "this Mac has no Touch ID, or it is closed", Hint: "open the lid, or use a keyboard with Touch ID"}
	case macos.LAErrorBiometryNotEnrolled:
		return ctap.Problem{Status: ctap.NotAllowed, What: "Touch ID knows no finger", Hint: "add one in System Settings > Touch ID & Password"}
	case macos.LAErrorPasscodeNotSet:
		return ctap.Problem{Status: ctap.NotAllowed, What: "your account has no password", Hint: "set one in System Settings > Users & Groups"}
	case macos.LAErrorNotInteractive:
		return ctap.Problem{Status: ctap.UPRequired, What: "the system does not show questions now", Hint: "unlock the screen and try again"}
	default:
		return ctap.Problem{Status: ctap.Other, What: "Touch ID did not work"}
	}
}

// failed is Explain for OSStatus.
func failed(code int) ctap.Problem {
	switch code {
	case macos.ErrSecUserCanceled:
		return ctap.Problem{Status: ctap.OperationDenied, What: "you refused"}
	case macos.ErrSecAuthFailed:
		return ctap.Problem{Status: ctap.UVInvalid, What: "the finger was not recognized", Hint: "try again"}
	case macos.ErrSecInteractionNotAllowed:
		return ctap.Problem{Status: ctap.UPRequired, What: "the Mac is locked", Hint: "unlock the screen and try again"}
	case macos.ErrSecUnimplemented:
		return ctap.Problem{
			Status: ctap.Other, What: "no key can be made in a Secure Enclave",
			Hint: "it takes a Mac with Apple silicon or a T2 chip, and macOS outside of a virtual machine",
		}
	case macos.ErrSecDiskFull:
		return ctap.Problem{Status: ctap.KeyStoreFull, What: "the disk is full; nothing was changed", Hint: "make room and try again"}
	case macos.ErrSecItemNotFound:
		return ctap.Problem{Status: ctap.NoCredentials, What: "the key is not there"}
	case macos.ErrSecMissingEntitlement:
		return ctap.Problem{Status: ctap.Other, What: "this program is not signed for the keychain", Hint: "see docs/macos.md, \"Signing\""}
	default:
		return ctap.Problem{Status: ctap.Other, What: "the Secure Enclave did not do it"}
	}
}
