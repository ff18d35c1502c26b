package config

import (
	"context"
	"fmt"
	"time"

	"github.com/localpasskey/localpasskey/internal/cbor"
	"github.com/localpasskey/localpasskey/internal/ctap"
	"github.com/localpasskey/localpasskey/internal/ctap/finger"
)

// Fingerprint changes how long after a PIN a finger may stand for it: ours, on the socket
// alone. It takes a token for the settings, which no finger gives.
func (m *Manager) Fingerprint(ctx context.Context, params cbor.Raw) error {
	var req finger.Request
	if err := cbor.Unmarshal(params, &req); err != nil {
		return err
	}
	switch {
	case !m.Fingers:
		return &ctap.Problem{
			Status: ctap.NotAllowed, What: "a finger cannot stand for the PIN here",
			Hint: "it takes the system service, which follows the lock screen: install the package, or `make install`",
		}
	case req.Seconds == nil:
		return ctap.MissingParameter
	case !m.Gate.PIN.IsSet():
		return ctap.PINNotSet
	case *req.Seconds != 0 && (*req.Seconds < finger.MinSeconds || *req.Seconds > finger.MaxSeconds):
		return ctap.InvalidParameter
	}
	if err := ctap.CheckToken(req.PINUVAuthProtocol, req.PINUVAuthParam); err != nil {
		return err
	}
	if _, err := m.Gate.VerifyToken(req.PINUVAuthProtocol, req.PINUVAuthParam, req.Message(), ctap.PermissionConfiguration); err != nil {
		return err
	}
	settings, err := m.Settings.Settings()
	if err != nil {
		return err
	}
	settings.FingerSeconds = *req.Seconds
	now := "fingerprint off"
	if *req.Seconds > 0 {
		now = fmt.Sprintf("fingerprint on, for %s after the PIN", time.Duration(*req.Seconds)*time.Second) //nolint:gosec // at most a day
	}
	return m.put(ctx, settings, now)
}
