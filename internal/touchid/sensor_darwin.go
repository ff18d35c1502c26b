package touchid

import (
	"context"
	"errors"

	"github.com/localpasskey/localpasskey/internal/macos"
	"github.com/localpasskey/localpasskey/internal/macos/gesture"
)

// Native is this Mac's Touch ID. Lib must have loaded "LocalAuthentication".
type Native struct {
	Lib *macos.Library
	// Password: the login password is as good as a finger.
	Password bool
}

var _ Sensor = Native{}

// policy is what counts as an answer.
func (n Native) policy() int {
	if n.Password {
		return macos.LAPolicyDeviceOwnerAuthentication
	}
	return macos.LAPolicyDeviceOwnerAuthenticationWithBiometrics
}

// Available tells whether the person could be asked now, nil if so.
func (n Native) Available() (err error) {
	n.Lib.Pool(func() {
		la := n.Lib.New("LAContext")
		defer n.Lib.Send.Release(la)
		var failure macos.ID
		if !n.Lib.Send.CanEvaluatePolicy(la, n.policy(), &failure) {
			err = gesture.Explain(n.Lib.Error(macos.Ref(failure)))
		}
	})
	return err
}

// Ask shows the sheet, with an LAContext of its own: an old one might be satisfied
// with the finger before.
func (n Native) Ask(ctx context.Context, reason string) (*gesture.Gesture, error) {
	la := n.Lib.New("LAContext")
	end := func(la macos.ID) {
		n.Lib.Pool(func() {
			n.Lib.Send.Invalidate(la)
			n.Lib.Send.Release(la)
		})
	}
	made := gesture.New(la, end)
	answer := make(chan error, 1)
	reply := n.Lib.BoolError(func(yes bool, failure macos.ID) {
		// On a thread of the system's; the error lives as long as this call.
		if yes {
			answer <- nil
			return
		}
		answer <- n.Lib.Error(macos.Ref(failure))
	})
	defer n.Lib.Free(uintptr(reply))
	n.Lib.Pool(func() {
		text := n.Lib.String(reason)
		defer n.Lib.Release(text)
		n.Lib.Send.SetReuseDuration(la, 0)
		n.Lib.Send.SetLocalizedReason(la, text)
		n.Lib.Send.EvaluatePolicy(la, n.policy(), text, reply)
	})
	select {
	case err := <-answer:
		if err != nil {
			made.End()
			return nil, err
		}
		return made, nil
	case <-ctx.Done():
		n.Lib.Pool(func() { n.Lib.Send.Invalidate(la) })
		err := errors.Join(ctx.Err(), <-answer) // the sheet goes, and the reply comes
		made.End()
		return nil, err
	}
}
